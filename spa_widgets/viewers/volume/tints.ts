/** What colours a map by the values of another: these are asked for when they are first needed. */
import type { Frame } from "../kit/frame.ts";
import { bytes } from "../kit/link.ts";
import { tintsBy, unpack, type Row, type Values } from "./maps.ts";

export class Tints {
  private values = new Map<string, Values | null>();

  constructor(private frame: Frame, private rows: () => Row[], private come: () => void) {}

  /** The values that a map is coloured by, once they are there. */
  other(row: Row): Values | undefined {
    const other = this.rows().find((each) => each.name === row.colour_by?.by);
    if (!other) return undefined;
    const [low, high] = row.colour_by!.range;
    const key = `${other.id} ${other.version} ${low} ${high}`;
    if (!this.values.has(key)) {
      this.values.set(key, null);
      this.frame.guard(this.frame.link.ask<Omit<Values, "data">>("values", { key: other.id, low, high }).then(async ({ content, buffers }) => {
        this.values.set(key, { ...content, data: await unpack(bytes(buffers[0])) });
        this.come();
      }));
    }
    return this.values.get(key) ?? undefined;
  }

  /** Colours of the corners of a surface; null for a map in its own colour. */
  at(row: Row, positions: Float32Array): Uint8Array<ArrayBuffer> | null {
    const other = row.colour_by ? this.other(row) : undefined;
    return other ? tintsBy(positions, other, row.colour_by!) : null;
  }
}

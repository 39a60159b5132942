/** The maps of the viewer as the kernel tells of them, their packed values, and the colours of one by another. */
import { rgb, type Vector } from "./geometry.ts";

export interface ColourBy { by: string; range: [number, number]; stops: string[] }
export interface Row {
  id: string; name: string; level: number; opacity: number; visible: boolean; colour: string; mean: number; std: number; version: number;
  style: "surface" | "mesh"; contrast: [number, number]; origin: Vector; clip: number[] | null; colour_by: ColourBy | null;
}
export interface Facts { shape: [number, number, number]; low: number; high: number; mean: number; std: number; pixel_size_A: number; histogram: number[] }
export interface Volume extends Facts { data: Uint8Array }
/** Levels 0…255 between two values of a map that colours another one. */
export interface Values { shape: [number, number, number]; low: number; high: number; data: Uint8Array }
export interface Thing { id: string; name: string; kind: "points" | "surface" | "other"; visible: boolean; opacity: number; version: number }

/** Undo the packing. */
export async function unpack(packed: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** A map value as a level 0…255, and back. */
export const toLevel = (volume: Facts, value: number): number => ((value - volume.low) / (volume.high - volume.low)) * 255;
export const toValue = (volume: Facts, level: number): number => volume.low + (level / 255) * (volume.high - volume.low);

/** How much is seen at first: boxes are much larger than what is in them. */
export function extentOf(volume: Volume, level: number): number {
  const [nx, ny, nz] = volume.shape;
  const centre = volume.shape.map((side) => Math.floor(side / 2));
  const [step, whole] = [Math.max(1, Math.floor(Math.max(nx, ny, nz) / 64)), Math.max(nx, ny, nz)];
  let [sum, count] = [0, 0];
  for (let z = 0; z < nz; z += step) {
    for (let y = 0; y < ny; y += step) {
      for (let x = 0; x < nx; x += step) {
        if (volume.data[(z * ny + y) * nx + x] <= level) continue;
        sum += (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2;
        count++;
      }
    }
  }
  return (count ? Math.min(2.9 * Math.sqrt(sum / count) + 4, whole) : whole) * volume.pixel_size_A;
}

export const centreOf = (volume: Facts, origin: Vector): Vector => volume.shape.map((side, axis) => origin[axis] + Math.floor(side / 2) * volume.pixel_size_A) as Vector;

/** Colours between stops. */
export function shade(stops: string[], part: number): Vector {
  const place = Math.min(Math.max(part, 0), 1) * (stops.length - 1);
  const first = Math.min(Math.floor(place), stops.length - 2);
  const [a, b, mix] = [rgb(stops[first]), rgb(stops[first + 1]), place - first];
  return [0, 1, 2].map((channel) => a[channel] * (1 - mix) + b[channel] * mix) as Vector;
}

/** A colour for each vertex (in voxels) of one map from the values of another on the same grid. */
export function tintsBy(positions: Float32Array, other: Values, { stops }: ColourBy): Uint8Array<ArrayBuffer> {
  const table = Array.from({ length: 256 }, (_, level) => shade(stops, level / 255).map((value) => Math.round(255 * value)));
  const [nx, ny, nz] = other.shape;
  const tints = new Uint8Array(positions.length);
  for (let at = 0; at < positions.length; at += 3) {
    const [x, y, z] = [positions[at], positions[at + 1], positions[at + 2]];
    const [fx, fy, fz] = [Math.min(Math.floor(x), nx - 2), Math.min(Math.floor(y), ny - 2), Math.min(Math.floor(z), nz - 2)];
    let value = 0;
    for (let corner = 0; corner < 8; corner++) {
      const [i, j, k] = [corner & 1, (corner >> 1) & 1, corner >> 2];
      value += other.data[((fz + k) * ny + fy + j) * nx + fx + i] * (i ? x - fx : 1 - x + fx) * (j ? y - fy : 1 - y + fy) * (k ? z - fz : 1 - z + fz);
    }
    tints.set(table[Math.min(Math.max(Math.round(value), 0), 255)], at);
  }
  return tints;
}

/** Viewers that turn together in one page, and the keys of a viewer. */
import type { Key, Translate } from "../kit/frame.ts";
import type { Axis } from "./slices.ts";
import type { Camera } from "./stage.ts";

/** The page's event with which a viewer tells its group where it looks from. */
export const LINKED = "spa-linked-camera";

export function follow(event: CustomEvent<{ group: string; from: object; camera: Camera }>, group: string, self: object, show: (camera: Camera) => void): void {
  if (group && event.detail.group === group && event.detail.from !== self) show(event.detail.camera);
}

/** Forget what is no longer there. */
export function keep(memory: Map<string, unknown>, ids: Set<string>): void {
  for (const id of [...memory.keys()]) if (!ids.has(id)) memory.delete(id);
}

export interface Moves { turn(x: number, y: number): void; nudge(bySigma: number): void; along(axis: Axis): void; zoom(factor: number): void; reset(): void }

export function keysOf(t: Translate, moves: Moves): Key[] {
  return [
    { keys: [t("drag")], label: t("key_rotate") },
    { keys: [`Shift+${t("drag")}`], label: t("key_shift_drag") },
    { keys: [t("wheel")], label: t("key_wheel") },
    { keys: ["ArrowLeft"], label: t("key_rotate"), act: () => moves.turn(0, -0.1) },
    { keys: ["ArrowRight"], label: t("key_rotate"), act: () => moves.turn(0, 0.1) },
    { keys: ["ArrowUp"], label: t("key_rotate"), act: () => moves.turn(-0.1, 0) },
    { keys: ["ArrowDown"], label: t("key_rotate"), act: () => moves.turn(0.1, 0) },
    { keys: ["["], label: t("key_level"), act: () => moves.nudge(-0.1) },
    { keys: ["]"], label: t("key_level"), act: () => moves.nudge(0.1) },
    ...(["x", "y", "z"] as Axis[]).map((axis) => ({ keys: [axis], label: t("key_axes"), act: () => moves.along(axis) })),
    { keys: ["+", "="], label: t("zoom_in"), act: () => moves.zoom(1.2) },
    { keys: ["-"], label: t("zoom_out"), act: () => moves.zoom(1 / 1.2) },
    { keys: ["0"], label: t("reset_view"), act: () => moves.reset() },
  ];
}

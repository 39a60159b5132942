/** Buttons and keys that take decisions back, for widgets whose kernel side is an UndoableWidget. */
import { h } from "./dom.ts";
import type { Frame } from "./frame.ts";

/** Give the buttons; also ask for what other pages decided whenever this one comes to the front. */
export function historyButtons(frame: Frame): HTMLElement[] {
  const { t, link } = frame;
  const ask = (name: string): void => frame.guard(link.ask(name));
  const button = (name: string, sign: string): HTMLButtonElement => {
    const made = h("button", { class: "spa-icon", title: t(name), "aria-label": t(name), onclick: () => ask(name) }, sign);
    link.watch([`can_${name}`], () => { made.disabled = !link.get(`can_${name}`); });
    return made;
  };
  frame.addKeys([
    { keys: ["Ctrl+z"], label: t("undo"), act: () => ask("undo") },
    { keys: ["Ctrl+y"], label: t("redo"), act: () => ask("redo") },
  ]);
  const look = (): void => { if (!document.hidden) ask("refresh"); };
  window.addEventListener("focus", look);
  document.addEventListener("visibilitychange", look);
  frame.onClose(() => { window.removeEventListener("focus", look); document.removeEventListener("visibilitychange", look); });
  return [button("undo", "↶"), button("redo", "↷")];
}

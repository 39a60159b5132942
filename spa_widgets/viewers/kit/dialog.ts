/** A page over the widget that keeps the focus until it is closed, and gives it back. */
import { h } from "./dom.ts";

const REACHED = "button, [tabindex]";

/** Open it; closed by Escape, a click beside it, or one of `ends`. Returns what closes it. */
export function openDialog(root: HTMLElement, title: string, content: (Node | string)[], ends: HTMLElement[]): () => void {
  const before = (root.getRootNode() as Document).activeElement as HTMLElement | null;
  const close = (): void => {
    if (!page.isConnected) return;
    page.remove();
    (before && root.contains(before) ? before : root).focus();
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key !== "?") event.stopPropagation(); // the widget's other keys rest
    if (event.key === "Escape") {
      event.preventDefault();
      return close();
    }
    if (event.key !== "Tab") return;
    const reached = [...page.querySelectorAll<HTMLElement>(REACHED)];
    const leaving = event.shiftKey ? [page, reached[0]] : [reached[reached.length - 1]];
    if (!leaving.includes(event.target as HTMLElement)) return;
    event.preventDefault();
    (event.shiftKey ? reached[reached.length - 1] : reached[0]).focus();
  };
  const page = h("div", { class: "spa-help", tabIndex: -1, role: "dialog", "aria-modal": "true", "aria-label": title, onkeydown: onKey, onclick: (click: MouseEvent) => click.target === page && close() },
    h("div", {}, h("h3", {}, title), ...content, h("p", {}, ...ends.flatMap((end) => [end, " "]))));
  root.append(page);
  ends[ends.length - 1].focus();
  return close;
}

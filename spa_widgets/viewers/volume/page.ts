/** The viewer and its page: layout, ground, files to keep. */
import type { Frame } from "../kit/frame.ts";
import type { Vector } from "./geometry.ts";
import type { Stage } from "./stage.ts";

export const STYLE = `
.spa-volume { height: clamp(360px, 50vh, 480px); }
.spa-side { width: 304px; flex: 0 0 auto; overflow: auto; }
@container (max-width: 760px) {
  .spa-volume { height: auto; }
  .spa-volume > div > .spa-stage { flex: 0 0 420px; }
  .spa-side { width: auto; }
}`;

/** The ground of the scene is that of the page, also after the theme has changed. */
export function followGround(frame: Frame, stage: () => Stage): void {
  const look = (): void => {
    const shown = stage();
    const parts = getComputedStyle(frame.root).backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [255, 255, 255];
    shown.ground = parts.slice(0, 3).map((value) => Math.min(value / 255, 1)) as Vector;
    shown.element.style.background = `rgb(${parts.slice(0, 3).join(",")})`;
    shown.element.style.setProperty("--spa-scale-ink", shown.ground[0] < 0.5 ? "#fff" : "#222");
    shown.draw();
  };
  const observer = new MutationObserver(() => setTimeout(look, 100));
  observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-name", "class"] });
  frame.onClose(() => observer.disconnect());
  setTimeout(look, 0);
  frame.link.watch(["renderer"], () => setTimeout(look, 0));
}

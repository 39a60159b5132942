/** The micrograph list and the filtered picture that the picker and the inspector share. */
import { ImageCanvas } from "./canvas.ts";
import { slider } from "./controls.ts";
import { h, throttle } from "./dom.ts";
import type { Frame } from "./frame.ts";
import { decodePicture } from "./link.ts";

export interface MicrographInfo { index: number; name: string; width: number; height: number; mime: string; pixel_size_A: number; sigma: number }
interface Row { name: string; defocus_A: number | null }

/** A listbox of micrographs with their counts (traits `micrographs`, `counts`, `current`). */
export function micrographList(frame: Frame, go: (index: number) => void, countText?: (index: number) => string): { element: HTMLElement; refresh: () => void } {
  const { link, t } = frame;
  const list = h("div", { class: "spa-list", role: "listbox", tabIndex: 0, "aria-label": t("micrographs") });
  let rows: HTMLElement[] = [];
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    go(link.get<number>("current") + step);
  });
  link.watch(["micrographs"], () => {
    rows = link.get<Row[]>("micrographs").map((row, index) => h("div", { class: "spa-row", role: "option", id: `m${index}`, title: row.name, onclick: () => go(index) },
      h("span", { class: "spa-name spa-end" }, h("bdi", {}, row.name.replace(/\.(mrcs?|tiff?)$/i, ""))), h("span", { class: "spa-badge" }),
      row.defocus_A === null ? null : h("span", { class: "spa-sub" }, `${t("defocus")} ${(row.defocus_A / 10000).toFixed(2)} µm`)));
    list.replaceChildren(...rows);
  });
  const refresh = (): void => {
    const counts = link.get<number[]>("counts") ?? [];
    rows.forEach((row, index) => {
      const badge = row.querySelector(".spa-badge")!;
      badge.textContent = countText ? countText(index) : String(counts[index] ?? 0);
      badge.classList.toggle("spa-some", (counts[index] ?? 0) > 0);
    });
  };
  link.watch(["micrographs", "counts"], refresh);
  link.watch(["micrographs", "current"], () => {
    const current = link.get<number>("current");
    rows.forEach((row, index) => row.setAttribute("aria-selected", String(index === current)));
    const row = rows[current];
    if (!row) return;
    list.setAttribute("aria-activedescendant", row.id);
    const [top, bottom] = [row.offsetTop, row.offsetTop + row.offsetHeight]; // scrolls the list only, never the notebook
    if (top < list.scrollTop) list.scrollTop = top;
    else if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
  });
  return { element: list, refresh };
}

/** Keeps the canvas showing micrograph `current` with filters `low_pass_A`, `high_pass_A` and contrast `sigma`; `shown` hears of each new picture. */
export function micrographPicture(frame: Frame, canvas: ImageCanvas, shown: () => void = () => undefined): { controls: HTMLElement[]; info: () => MicrographInfo | null } {
  const { link, t } = frame;
  let info: MicrographInfo | null = null;
  let asking = false;
  let again = false;
  const show = async (): Promise<void> => {
    if (asking) { again = true; return; } // one question at a time; only the latest wish counts
    asking = true;
    try {
      do {
        again = false;
        const { content, buffers } = await link.ask<MicrographInfo>("image", { index: link.get("current") });
        const bitmap = await decodePicture(buffers[0], content.mime);
        info = content;
        canvas.pixelSize_A = content.pixel_size_A;
        canvas.element.setAttribute("aria-label", `${t("micrograph")} ${content.name}`);
        canvas.element.dataset.shown = content.name;
        contrast();
        canvas.setPicture(bitmap, content.width, content.height);
        shown();
      } while (again);
    } finally {
      asking = false;
    }
  };
  const contrast = (): void => {
    canvas.gain = (info?.sigma ?? 5) / link.get<number>("sigma");
    canvas.draw();
  };
  const lowPass = slider({ label: t("low_pass"), unit: "Å", min: 0, max: 60, step: 1, value: link.get("low_pass_A"), change: (v) => link.set("low_pass_A", v), input: throttle((v) => link.set("low_pass_A", v), 250) });
  const sigma = slider({ label: t("contrast"), unit: "σ", min: 0.5, max: 6, step: 0.1, value: link.get("sigma"), input: throttle((v) => link.set("sigma", v), 40) });
  const invert = h("button", { class: "spa-icon", title: t("invert"), "aria-label": t("invert"), "aria-pressed": "false", onclick: () => {
    canvas.invert = !canvas.invert;
    invert.classList.toggle("spa-on", canvas.invert);
    invert.setAttribute("aria-pressed", String(canvas.invert));
    canvas.draw();
  } }, "◐");
  link.watch(["sigma"], () => { sigma.set(link.get("sigma")); contrast(); });
  link.watch(["current", "low_pass_A", "high_pass_A"], () => { lowPass.set(link.get("low_pass_A")); frame.guard(show()); });
  return { controls: [lowPass.element, sigma.element, invert], info: () => info };
}

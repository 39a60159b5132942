/** Sliders and buttons with labels, numbers and keyboard, all alike. */
import { clamp, h } from "./dom.ts";

export interface SliderOptions {
  label: string;
  unit?: string;
  min: number;
  max: number;
  step: number;
  value: number;
  /** While it moves. */
  input?: (value: number) => void;
  /** When it rests. */
  change?: (value: number) => void;
  help?: string;
}

export interface Slider {
  element: HTMLElement;
  set(value: number): void;
  get(): number;
}

/** A range with a number field beside it: both show the same value. */
export function slider(options: SliderOptions): Slider {
  const { label, unit = "", min, max, step, value } = options;
  const text = unit ? `${label} (${unit})` : label;
  const decimals = clamp(Math.ceil(-Math.log10(step)) + 1, 0, 9);
  const shown = (exact: number): string => String(Number(exact.toFixed(decimals)));
  const range = h("input", { type: "range", min, max, step, value: String(value), "aria-label": text, title: options.help });
  const number = h("input", { type: "number", min, max, step, value: shown(value), "aria-label": text });
  number.style.width = `calc(${Math.max(4, shown(min).length, shown(max).length, decimals > 1 ? decimals + 3 : 0)}ch + 18px)`; // no digit is cut off
  const settle = (source: HTMLInputElement, done: boolean): void => {
    const next = clamp(Number(source.value), min, max);
    if (!Number.isFinite(next) || source.value === "") return;
    range.value = String(next);
    if (source === range) number.value = shown(next);
    else if (done) number.value = String(next);
    (done ? options.change ?? options.input : options.input)?.(next);
  };
  range.addEventListener("input", () => settle(range, false));
  range.addEventListener("change", () => settle(range, true));
  number.addEventListener("change", () => settle(number, true));
  number.addEventListener("keydown", (event) => event.key === "Enter" && settle(number, true));
  return {
    element: h("label", { class: "spa-slider", title: options.help }, h("span", {}, label), range, number, unit && h("span", { class: "spa-dim" }, unit)),
    set(next: number) {
      if (document.activeElement !== number) number.value = shown(next);
      range.value = String(next);
    },
    get: () => Number(range.value),
  };
}

export interface Bar {
  element: HTMLElement;
  set(fraction: number, text: string, state?: "done" | "failed" | ""): void;
}

/** A progress bar with its text. */
export function progressBar(label: string): Bar {
  const fill = h("div");
  const bar = h("div", { class: "spa-progress", role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100 }, fill);
  const text = h("span", { class: "spa-num" });
  return {
    element: h("span", { class: "spa-slider" }, bar, text),
    set(fraction, shown, state = "") {
      const percent = Math.round(100 * clamp(fraction, 0, 1));
      fill.style.width = `${percent}%`;
      bar.setAttribute("aria-valuenow", String(percent));
      bar.setAttribute("aria-valuetext", shown);
      bar.className = `spa-progress${state ? ` spa-${state}` : ""}`;
      text.textContent = shown;
    },
  };
}

/** Building elements without HTML strings: text is always text, so a file name can never become markup. */

type Child = Node | string | number | null | undefined | false;
type Attributes = Record<string, unknown>;

const SVG = "http://www.w3.org/2000/svg";

/** Make an HTML element. `on…` functions become listeners, `class` and `style` are strings, the rest attributes or properties. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on") && typeof value === "function") element.addEventListener(name.slice(2), value as EventListener);
    else if (["value", "checked", "disabled", "textContent", "tabIndex"].includes(name)) (element as unknown as Attributes)[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

/** Make an SVG element. */
export function s(tag: string, attributes: Attributes = {}, ...children: Child[]): SVGElement {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on") && typeof value === "function") element.addEventListener(name.slice(2), value as EventListener);
    else element.setAttribute(name, String(value));
  }
  append(element, children);
  return element;
}

function append(element: Element, children: Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    element.append(typeof child === "number" ? String(child) : child);
  }
}

export const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));

/** A number for people: 3 significant digits, thin groups of thousands. */
export function human(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  if (size < 1e-3) return value.toExponential(1);
  return String(Number(value.toPrecision(digits)));
}

/** Call at most once per `delay_ms`, always with the latest arguments. */
export function throttle<A extends unknown[]>(call: (...args: A) => void, delay_ms: number): (...args: A) => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let waiting: A | undefined;
  let last = -Infinity;
  const fire = (): void => {
    timer = undefined;
    if (!waiting) return;
    const args = waiting;
    waiting = undefined;
    last = Date.now();
    call(...args);
  };
  return (...args: A) => {
    waiting = args;
    if (timer === undefined) timer = setTimeout(fire, Math.max(0, last + delay_ms - Date.now()));
  };
}

/** Ticks at 1, 2 or 5 × 10ⁿ, about `wanted` of them but never a single one, inside [low, high]. */
export function niceTicks(low: number, high: number, wanted = 5): number[] {
  if (!(high > low)) return [low];
  const raw = (high - low) / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(raw));
  let ticks: number[] = [];
  for (const factor of [0.1, 0.2, 0.5, 1, 2, 5, 10]) { // ever coarser, as long as a scale is told
    const step = factor * power;
    const coarser: number[] = [];
    for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index++) coarser.push(Number((index * step).toPrecision(12)));
    if (coarser.length > 1) ticks = coarser;
    if (step >= raw * 0.999) break;
  }
  return ticks;
}

/** The largest 1, 2 or 5 × 10ⁿ that is at most `longest`: the length of a scale bar. */
export function niceLength(longest: number): number {
  const power = 10 ** Math.floor(Math.log10(longest));
  return ([5, 2, 1].find((factor) => factor * power <= longest) ?? 1) * power;
}

/** Offer a file to keep. */
export function save(blob: Blob, name: string): void {
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** The bar above the view: directions, a cut, axes of symmetry, who draws, pictures. */
import { slider, type Slider } from "../kit/controls.ts";
import { h, throttle } from "../kit/dom.ts";
import type { Frame } from "../kit/frame.ts";
import type { Axis } from "./slices.ts";

export interface BarActions { along(axis: Axis): void; reset(): void; snapshot(): void }

export class Bar {
  readonly element: HTMLElement;
  private axis = h("select");
  private place: Slider;
  private placeHolder = h("span");

  constructor(private frame: Frame, actions: BarActions) {
    const { t, link } = frame;
    const step = slider({ label: t("step"), min: 1, max: 4, step: 1, value: link.get("step"), input: (value) => link.set("step", value), help: t("step_help") });
    link.watch(["step"], () => step.set(link.get("step")));
    this.place = this.slider(100);
    const along = (name: Axis): HTMLButtonElement => h("button", { class: "spa-icon", title: `${t("key_axes")}: ${name}`, onclick: () => actions.along(name) }, name);
    this.element = h("div", { class: "spa-bar" }, h("span", { class: "spa-title" }, t("volume_viewer")), h("span", { class: "spa-slider" }, along("x"), along("y"), along("z"), h("button", { onclick: () => actions.reset() }, t("reset_view"))),
      step.element, this.cut(), this.symmetry(), h("span", { class: "spa-grow" }), this.renderer(), h("button", { onclick: () => actions.snapshot() }, t("snapshot")), frame.ends());
  }

  /** Set the reach of the plane that cuts, in Å. */
  reach(reach_A: number): void {
    this.place = this.slider(reach_A);
    this.placeHolder.replaceChildren(this.place.element);
  }

  private slider(reach_A: number): Slider {
    const made = slider({ label: "", unit: "Å", min: -Math.round(reach_A), max: Math.round(reach_A), step: Math.max(reach_A / 200, 0.1), value: 0, input: () => this.send() });
    made.element.querySelectorAll("input").forEach((input) => input.setAttribute("aria-label", this.frame.t("cut_place")));
    return made;
  }

  private send = throttle(() => {
    const axis = this.axis.value || null;
    this.placeHolder.hidden = !axis;
    this.frame.guard(this.frame.link.ask("clip", { axis, at_A: this.place.get() }));
  }, 60);

  private cut(): HTMLElement {
    const { t } = this.frame;
    this.axis = h("select", { "aria-label": t("cut_open"), onchange: () => this.send() }, ...["", "x", "-x", "y", "-y", "z", "-z"].map((name) => h("option", { value: name }, name.replace("-", "−") || "–")));
    this.placeHolder.append(this.place.element);
    this.placeHolder.hidden = true;
    return h("span", { class: "spa-slider" }, h("label", { class: "spa-slider" }, t("cut_open"), this.axis), this.placeHolder);
  }

  private symmetry(): HTMLElement {
    const { t, link } = this.frame;
    let shown = "";
    const show = (): void => {
      const wanted = name.value.trim();
      if (wanted !== shown) this.frame.guard(link.ask("symmetry", { name: shown = wanted }));
    };
    const name = h("input", { type: "text", placeholder: "C8", style: "width: 52px", "aria-label": t("symmetry_axes"), onchange: show, onkeydown: (event: KeyboardEvent) => event.key === "Enter" && show() });
    return h("label", { class: "spa-slider" }, t("symmetry_axes"), name);
  }

  private renderer(): HTMLElement {
    const { t, link } = this.frame;
    const choice = h("select", { "aria-label": t("drawn_by"), onchange: () => this.frame.guard(link.ask("renderer", { name: choice.value }).catch((error) => { choice.value = link.get("renderer"); throw error; })) },
      h("option", { value: "browser" }, t("browser")), h("option", { value: "napari" }, "napari"));
    link.watch(["renderer", "notice"], () => { choice.value = link.get("renderer"); });
    const desktop = h("button", { title: t("desktop_help"), onclick: () => this.frame.guard(link.ask("desktop")) }, t("desktop"));
    return h("span", { class: "spa-slider" }, h("label", { class: "spa-slider", title: t("drawn_by_help") }, t("drawn_by"), choice), desktop);
  }
}

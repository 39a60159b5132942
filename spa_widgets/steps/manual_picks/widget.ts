/** ManualPicker: the view. All picks live in Python; each gesture is a question, each change comes back as an event. */
import type { RenderProps } from "@anywidget/types";
import { ImageCanvas, Mark } from "../../viewers/kit/canvas.ts";
import { progressBar, slider } from "../../viewers/kit/controls.ts";
import { h, throttle } from "../../viewers/kit/dom.ts";
import { Frame } from "../../viewers/kit/frame.ts";
import { floats } from "../../viewers/kit/link.ts";
import { micrographList, micrographPicture } from "../../viewers/kit/micrographs.ts";

class PickerView {
  private picks: Float32Array<ArrayBuffer> = new Float32Array(0);
  private hovered = -1;
  private dragging: { index: number; x: number; y: number } | null = null;
  private cross: [number, number] | null = null;
  private canvas: ImageCanvas;
  private where = h("div", { class: "spa-hint", "aria-hidden": "true" });
  private picture: ReturnType<typeof micrographPicture>;

  constructor(private frame: Frame) {
    const { t, link } = frame;
    this.canvas = new ImageCanvas({ hit: this.hit, click: this.click, dragMark: this.drag, hover: this.hover }, t("micrograph"));
    this.picture = micrographPicture(frame, this.canvas, () => this.drawMarks());
    const stage = this.canvas.element;
    stage.append(this.where, this.canvas.tools({ zoomIn: t("zoom_in"), zoomOut: t("zoom_out"), fit: t("fit") }));
    const list = micrographList(frame, (index) => this.go(index));
    const body = h("div", { class: "spa-body", style: "height: 560px" }, list.element, stage);
    frame.root.append(this.controls(), body, this.footer());
    frame.onClose(() => this.canvas.destroy());
    link.on("picks", ({ index }) => index === link.get("current") && this.fetchPicks());
    link.watch(["current"], () => { this.cross = null; this.fetchPicks(); });
    this.keys();
  }

  private controls(): HTMLElement {
    const { t, link } = this.frame;
    const size = slider({ label: t("diameter"), unit: "Å", min: 20, max: 500, step: 2, value: link.get("diameter_A"), input: throttle((v) => link.set("diameter_A", v), 60) });
    this.frame.link.watch(["diameter_A"], () => { size.set(link.get("diameter_A")); this.drawMarks(); });
    return h("div", { class: "spa-bar" }, h("span", { class: "spa-title" }, t("manual_picker")), ...this.picture.controls, size.element,
      h("span", { class: "spa-grow" }), this.frame.codeButton(), this.frame.helpButton());
  }

  private footer(): HTMLElement {
    const { t, link } = this.frame;
    const bar = progressBar(t("goal_label"));
    const button = (key: string, text: string, act: () => void, extra = ""): HTMLButtonElement => h("button", { onclick: act, class: extra, title: t(key), "aria-label": t(key) }, text);
    const submit = h("button", { class: "spa-primary", onclick: () => this.submit() }, t("submit_picks"));
    link.watch(["counts", "goal", "can_submit", "read_only"], () => {
      const count = (link.get<number[]>("counts") ?? []).reduce((sum, each) => sum + each, 0);
      const goal = link.get<number>("goal");
      bar.set(count / goal, t("goal", { count, goal }), count >= goal ? "done" : "");
      submit.style.display = link.get("can_submit") ? "" : "none";
      submit.disabled = count === 0 || link.get("read_only");
    });
    return h("div", { class: "spa-bar spa-foot" },
      button("previous", "←", () => this.step(-1), "spa-icon"), button("next", "→", () => this.step(1), "spa-icon"),
      button("undo", "↶", () => this.edit("undo"), "spa-icon"), button("redo", "↷", () => this.edit("redo"), "spa-icon"),
      bar.element, h("span", { class: "spa-grow" }), submit);
  }

  private keys(): void {
    const { t } = this.frame;
    const pan = (dx: number, dy: number) => () => (this.cross ? this.moveCross(-dx / 5, -dy / 5) : this.canvas.panBy(dx, dy));
    this.frame.addKeys([
      { keys: [t("left_click")], label: t("key_pick") },
      { keys: [t("right_click"), "Delete"], label: t("key_remove"), act: () => this.removeHovered() },
      { keys: [t("drag")], label: t("key_drag") },
      { keys: [t("wheel")], label: t("key_wheel") },
      { keys: ["n", "PageDown"], label: t("key_next"), act: () => this.step(1) },
      { keys: ["p", "PageUp"], label: t("key_next"), act: () => this.step(-1) },
      { keys: ["Ctrl+z"], label: t("undo"), act: () => this.edit("undo") },
      { keys: ["Ctrl+y", "Ctrl+Shift+z"], label: t("redo"), act: () => this.edit("redo") },
      { keys: ["c", " "], label: t("key_crosshair"), act: (event) => this.crossKey(event) },
      { keys: ["Enter"], label: t("key_pick"), act: () => this.cross && this.add(...this.cross) },
      { keys: ["ArrowLeft"], label: t("key_pan"), act: pan(60, 0) },
      { keys: ["ArrowRight"], label: t("key_pan"), act: pan(-60, 0) },
      { keys: ["ArrowUp"], label: t("key_pan"), act: pan(0, 60) },
      { keys: ["ArrowDown"], label: t("key_pan"), act: pan(0, -60) },
      { keys: ["+", "="], label: t("zoom_in"), act: () => this.canvas.zoomBy(1.3) },
      { keys: ["-"], label: t("zoom_out"), act: () => this.canvas.zoomBy(1 / 1.3) },
      { keys: ["0", "f"], label: t("fit"), act: () => this.canvas.fit() },
    ]);
  }

  private go(index: number): void {
    const last = this.frame.link.get<unknown[]>("micrographs").length - 1;
    this.frame.link.set("current", Math.min(Math.max(index, 0), last));
  }

  private step(by: number): void {
    this.go(this.frame.link.get<number>("current") + by);
  }

  private edit(action: string, args: Record<string, unknown> = {}): void {
    this.frame.guard(this.frame.link.ask("edit", { action, ...args }));
  }

  private add(x: number, y: number): void {
    const info = this.picture.info();
    if (!info || x < 0 || y < 0 || x >= info.width || y >= info.height) return;
    this.picks = new Float32Array([...this.picks, x, y]); // seen at once; the kernel's answer follows
    this.drawMarks();
    this.edit("add", { name: this.frame.link.get("current"), x, y });
  }

  private removeAt(index: number): void {
    const [x, y] = [this.picks[2 * index], this.picks[2 * index + 1]];
    this.picks = this.picks.filter((_, place) => place >> 1 !== index);
    this.hovered = -1;
    this.drawMarks();
    this.edit("remove", { name: this.frame.link.get("current"), x, y });
  }

  private removeHovered(): void {
    const index = this.cross ? this.hit(...this.cross) : this.hovered;
    if (index >= 0) this.removeAt(index);
  }

  private submit(): void {
    const { link, t } = this.frame;
    this.frame.guard(link.ask<{ job: string; count: number }>("submit").then(({ content }) => this.frame.say(t("submitted_count", content))));
  }

  private radius_px(): number {
    const info = this.picture.info();
    return info ? this.frame.link.get<number>("diameter_A") / 2 / (info.pixel_size_A || 1) : 20;
  }

  private hit = (x: number, y: number): number => {
    let best = -1;
    let nearest = Math.max(this.radius_px() * 0.6, 9 / this.canvas.zoom) ** 2;
    for (let index = 0; index < this.picks.length / 2; index++) {
      const distance = (this.picks[2 * index] - x) ** 2 + (this.picks[2 * index + 1] - y) ** 2;
      if (distance < nearest) [best, nearest] = [index, distance];
    }
    return best;
  };

  private click = (x: number, y: number, button: number, event: PointerEvent): void => {
    this.frame.root.focus({ preventScroll: true });
    const index = this.hit(x, y);
    if (button === 2 || (button === 0 && (event.ctrlKey || event.altKey))) {
      if (index >= 0) this.removeAt(index);
    } else if (button === 0 && index < 0) this.add(x, y);
  };

  private drag = (index: number, x: number, y: number, done: boolean): void => {
    this.dragging = { index, x, y };
    if (done) {
      this.picks[2 * index] = x;
      this.picks[2 * index + 1] = y;
      this.dragging = null;
      this.edit("move", { name: this.frame.link.get("current"), pick: index, x, y });
    }
    this.drawMarks();
  };

  private hover = (x: number, y: number, index: number): void => {
    this.where.textContent = `x ${Math.round(x)}  y ${Math.round(y)}`;
    if (index === this.hovered) return;
    this.hovered = index;
    this.drawMarks();
  };

  private crossKey(event: KeyboardEvent): void {
    if (event.key === " " && this.cross) return this.add(...this.cross);
    this.cross = this.cross ? null : [...this.canvas.centre];
    this.drawMarks();
  }

  private moveCross(dx_css: number, dy_css: number): void {
    const [x, y] = this.cross!;
    this.cross = [x + dx_css / this.canvas.zoom, y + dy_css / this.canvas.zoom];
    this.where.textContent = `x ${Math.round(this.cross[0])}  y ${Math.round(this.cross[1])}`;
    this.drawMarks();
  }

  private fetchPicks(): void {
    const index = this.frame.link.get<number>("current");
    this.frame.guard(this.frame.link.ask("picks", { index }).then(({ buffers }) => {
      if (index !== this.frame.link.get("current")) return;
      this.picks = floats(buffers[0]);
      this.drawMarks();
    }));
  }

  private drawMarks(): void {
    const count = this.picks.length / 2;
    const marks = new Float32Array(3 * (count + (this.cross ? 1 : 0)));
    for (let index = 0; index < count; index++) {
      const moved = this.dragging?.index === index ? this.dragging : null;
      marks.set([moved?.x ?? this.picks[2 * index], moved?.y ?? this.picks[2 * index + 1], index === this.hovered ? Mark.Chosen : Mark.Plain], 3 * index);
    }
    if (this.cross) marks.set([...this.cross, Mark.Suggested], 3 * count);
    this.canvas.radius_px = this.radius_px();
    this.canvas.setMarks(marks);
  }
}

export default {
  render({ model, el }: RenderProps<any>) {
    const frame = new Frame(model, el, "manual_picker");
    frame.whenReady(() => new PickerView(frame));
    return frame.close;
  },
};

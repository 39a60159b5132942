/** VolumeViewer: the browser's renderer of the napari model. Each map comes once, packed; contouring needs no network. */
import type { RenderProps } from "@anywidget/types";
import { slider, type Slider } from "../kit/controls.ts";
import { clamp, h, human, throttle } from "../kit/dom.ts";
import { Frame } from "../kit/frame.ts";
import { bytes } from "../kit/link.ts";
import { Plot } from "../kit/plot.ts";
import { Contourer } from "./contourer.ts";
import { Scene, type Look, type Vector } from "./scene.ts";
import { SliceView } from "./slices.ts";
import type { Shape } from "./surfaceNets.ts";

interface Row { id: string; name: string; level: number; opacity: number; visible: boolean; colour: string; mean: number; std: number }
interface Facts { shape: [number, number, number]; low: number; high: number; mean: number; std: number; pixel_size_A: number; histogram: number[] }
export interface Volume extends Facts { data: Uint8Array }

/** Undo the packing. */
export async function unpack(packed: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const rgb = (colour: string): Vector => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255) as Vector;

class VolumeView {
  private volumes = new Map<string, Volume>();
  private loading = new Set<string>();
  private drawn = new Map<string, string>();
  private local = new Map<string, number>();
  private scene: Scene;
  private contourer: Contourer;
  private plot: Plot;
  private slices: SliceView;
  private chosen = "";
  private fitted = false;
  private count = h("div", { class: "spa-hint", "aria-hidden": "true" });
  private list = h("div", { style: "padding: 6px 0", role: "listbox" });
  private level: Slider | null = null;
  private levelPlace = h("div", { style: "padding: 4px 14px" });
  private sigma = h("span", { class: "spa-dim spa-num" });

  constructor(private frame: Frame) {
    const { t, link } = frame;
    this.scene = new Scene(t("volume_viewer"), () => this.sendCamera());
    this.contourer = new Contourer((id, mesh) => {
      const [volume, row] = [this.volumes.get(id), this.row(id)];
      if (!volume || !row) return;
      this.fitTo(mesh.positions, volume);
      this.scene.setMesh(id, mesh, volume.shape.map((side) => Math.floor(side / 2)) as Vector, volume.pixel_size_A, this.look(row));
      this.count.textContent = t("triangles", { count: Math.round(this.scene.triangles).toLocaleString("en-US") });
      frame.root.dataset.triangles = String(Math.round(this.scene.triangles));
    });
    this.plot = new Plot({ label: t("map_values"), left: 14, bottom: 22, yTicks: () => "", xTicks: (value) => String(value) });
    this.plot.onDraw((layer) => this.paintHistogram(layer));
    this.slices = new SliceView(frame);
    this.build();
    link.watch(["maps"], () => this.update());
    link.watch(["step", "draw_as"], () => { this.drawn.clear(); this.update(); });
    link.on("camera", ({ view, up }) => this.scene.lookAlong(view, up));
    frame.guard(link.ask<{ view: Vector; up: Vector }>("camera").then(({ content }) => this.scene.lookAlong(content.view, content.up)));
    frame.onClose(() => { this.scene.destroy(); this.contourer.destroy(); this.plot.destroy(); });
    this.followGround();
    this.keys();
  }

  /** The first surface decides how much is seen: boxes are much larger than what is in them. */
  private fitTo(positions: Float32Array, volume: Volume): void {
    if (this.fitted || !positions.length) return;
    this.fitted = true;
    const centre = volume.shape.map((side) => Math.floor(side / 2));
    let sum = 0;
    for (let index = 0; index < positions.length; index++) sum += (positions[index] - centre[index % 3]) ** 2;
    const spread_A = Math.sqrt((3 * sum) / positions.length) * volume.pixel_size_A;
    this.scene.extent_A = Math.min(3.1 * spread_A, Math.max(...volume.shape) * volume.pixel_size_A);
  }

  private build(): void {
    const { t, link } = this.frame;
    this.list.setAttribute("aria-label", t("volume_viewer"));
    const step = slider({ label: t("step"), min: 1, max: 4, step: 1, value: link.get("step"), input: (value) => link.set("step", value) });
    const style = h("select", { "aria-label": t("surface"), onchange: () => link.set("draw_as", style.value) }, h("option", { value: "surface" }, t("surface")), h("option", { value: "mesh" }, t("mesh")));
    link.watch(["step", "draw_as"], () => { step.set(link.get("step")); style.value = link.get("draw_as"); });
    const axis = (name: "x" | "y" | "z"): HTMLButtonElement => h("button", { class: "spa-icon", title: `${t("key_axes")}: ${name}`, onclick: () => this.along(name) }, name);
    const bar = h("div", { class: "spa-bar" }, h("span", { class: "spa-title" }, t("volume_viewer")), style, step.element, axis("x"), axis("y"), axis("z"),
      h("button", { onclick: () => this.reset() }, t("reset_view")), h("button", { onclick: () => this.snapshot() }, t("snapshot")), h("span", { class: "spa-grow" }), this.frame.codeButton(), this.frame.helpButton());
    this.plot.element.style.cssText = "height: 120px; margin: 2px 6px";
    this.scene.element.append(this.count);
    const side = h("div", { style: "width: 300px; flex: 0 0 auto; border-left: 1px solid var(--spa-line); overflow: auto; max-width: 100%" }, this.list, this.levelPlace, this.plot.element, this.slices.element);
    this.frame.root.append(bar, h("div", { class: "spa-body", style: "height: 560px" }, this.scene.element, side));
  }

  private keys(): void {
    const { t } = this.frame;
    const turn = (x: number, y: number) => () => { this.scene.turn(x, y); this.sendCamera(); };
    this.frame.addKeys([
      { keys: [t("drag")], label: t("key_rotate") },
      { keys: [`Shift+${t("drag")}`], label: t("key_shift_drag") },
      { keys: [t("wheel")], label: t("key_wheel") },
      { keys: ["ArrowLeft"], label: t("key_rotate"), act: turn(0, -0.1) },
      { keys: ["ArrowRight"], label: t("key_rotate"), act: turn(0, 0.1) },
      { keys: ["ArrowUp"], label: t("key_rotate"), act: turn(-0.1, 0) },
      { keys: ["ArrowDown"], label: t("key_rotate"), act: turn(0.1, 0) },
      { keys: ["["], label: t("key_level"), act: () => this.nudge(-0.1) },
      { keys: ["]"], label: t("key_level"), act: () => this.nudge(0.1) },
      { keys: ["x"], label: t("key_axes"), act: () => this.along("x") },
      { keys: ["y"], label: t("key_axes"), act: () => this.along("y") },
      { keys: ["z"], label: t("key_axes"), act: () => this.along("z") },
      { keys: ["+", "="], label: t("zoom_in"), act: () => this.scene.zoomBy(1.2) },
      { keys: ["-"], label: t("zoom_out"), act: () => this.scene.zoomBy(1 / 1.2) },
      { keys: ["0"], label: t("reset_view"), act: () => this.reset() },
    ]);
  }

  private rows(): Row[] {
    return this.frame.link.get<Row[]>("maps");
  }

  private row(id: string): Row | undefined {
    return this.rows().find((row) => row.id === id);
  }

  private look(row: Row): Look {
    return { colour: rgb(row.colour), opacity: row.opacity, visible: row.visible, mesh: this.frame.link.get("draw_as") === "mesh" };
  }

  private update(): void {
    const rows = this.rows();
    if (!rows.length) return;
    if (!rows.some((row) => row.id === this.chosen)) this.choose(rows[0].id);
    this.paintList(rows);
    for (const row of rows) {
      if (!this.volumes.has(row.id)) this.frame.guard(this.load(row.id));
      else this.show(row);
    }
    this.syncLevel();
  }

  private async load(id: string): Promise<void> {
    if (this.loading.has(id)) return;
    this.loading.add(id);
    const { content, buffers } = await this.frame.link.ask<Facts>("volume", { key: id });
    const volume: Volume = { ...content, data: await unpack(bytes(buffers[0])) };
    this.volumes.set(id, volume);
    this.contourer.add(id, volume.data, volume.shape as Shape);
    if (id === this.chosen) this.choose(id);
    this.update();
  }

  private show(row: Row): void {
    const volume = this.volumes.get(row.id)!;
    const level = this.local.get(row.id) ?? row.level;
    const key = `${level} ${this.frame.link.get("step")}`;
    this.scene.setLook(row.id, this.look(row));
    if (!row.visible || this.drawn.get(row.id) === key) return;
    this.drawn.set(row.id, key);
    this.contourer.contour(row.id, ((level - volume.low) / (volume.high - volume.low)) * 255, this.frame.link.get("step"));
  }

  private choose(id: string): void {
    this.chosen = id;
    const [row, volume] = [this.row(id), this.volumes.get(id)];
    if (!row || !volume) return;
    const { t } = this.frame;
    this.plot.setRange(volume.low, volume.high, 0, 1);
    this.level = slider({ label: t("level"), min: volume.low, max: volume.high, step: (volume.high - volume.low) / 1000, value: row.level, input: (value) => this.setLevel(value, false), change: (value) => this.setLevel(value, true) });
    const opacity = slider({ label: t("opacity"), min: 0, max: 1, step: 0.05, value: row.opacity, input: throttle((value) => this.send(id, { opacity: value }), 80) });
    this.levelPlace.replaceChildren(this.level.element, this.sigma, opacity.element);
    this.slices.show(volume);
    this.syncLevel();
    this.paintList(this.rows());
  }

  private paintList(rows: Row[]): void {
    const { t } = this.frame;
    this.list.replaceChildren(...rows.map((row) => {
      const eye = h("input", { type: "checkbox", checked: row.visible, "aria-label": `${t("show")} ${row.name}`, onchange: () => this.send(row.id, { visible: eye.checked }) });
      const ink = h("input", { type: "color", value: row.colour, "aria-label": `${t("colour")} ${row.name}`, style: "width: 26px; height: 22px; padding: 0; border: 0; background: none", oninput: throttle(() => this.send(row.id, { colour: ink.value }), 80) });
      return h("div", { class: "spa-row", role: "option", style: "grid-template-columns: auto auto 1fr", "aria-selected": String(row.id === this.chosen), onclick: () => this.choose(row.id) }, eye, ink, h("span", { class: "spa-name", title: row.name }, row.name));
    }));
  }

  private syncLevel(): void {
    const row = this.row(this.chosen);
    const volume = this.volumes.get(this.chosen);
    if (!row || !volume) return;
    const level = this.local.get(row.id) ?? row.level;
    this.level?.set(Number(level.toPrecision(3)));
    this.sigma.textContent = ` ${((level - row.mean) / (row.std || 1)).toFixed(1)} σ`;
    this.slices.level = ((level - volume.low) / (volume.high - volume.low)) * 255;
    this.slices.colour = rgb(row.colour);
    this.slices.draw();
    this.plot.draw();
  }

  private sendLevel = throttle((id: string, level: number) => this.send(id, { level }), 150);

  private setLevel(level: number, done: boolean): void {
    const row = this.row(this.chosen);
    if (!row) return;
    this.local.set(row.id, level);
    this.show(row);
    this.syncLevel();
    if (done) this.send(row.id, { level }, true);
    else this.sendLevel(row.id, level);
  }

  private nudge(by_sigma: number): void {
    const row = this.row(this.chosen);
    if (row) this.setLevel((this.local.get(row.id) ?? row.level) + by_sigma * row.std, true);
  }

  private send(id: string, changes: Record<string, unknown>, settle = false): void {
    this.frame.guard(this.frame.link.ask("set", { key: id, changes }).then(() => { if (settle) this.local.delete(id); }));
  }

  private paintHistogram(layer: SVGElement): void {
    const volume = this.volumes.get(this.chosen);
    const row = this.row(this.chosen);
    if (!volume || !row) return;
    const most = Math.log1p(Math.max(...volume.histogram));
    const xs = volume.histogram.map((_, bin) => volume.low + (bin / 255) * (volume.high - volume.low));
    const ys = volume.histogram.map((count) => Math.log1p(count) / most);
    const path = this.plot.curve(xs, ys);
    const area = document.createElementNS("http://www.w3.org/2000/svg", "path");
    area.setAttribute("d", `${path}L${this.plot.x(volume.high)},${this.plot.y(0)}L${this.plot.x(volume.low)},${this.plot.y(0)}Z`);
    area.setAttribute("style", "fill: color-mix(in srgb, var(--spa-accent) 35%, transparent); stroke: var(--spa-accent)");
    layer.append(area);
    const level = this.local.get(row.id) ?? row.level;
    this.plot.limit(layer, "x", level, "level", `${this.frame.t("level")} ${human(level)}`, (value, done) => this.setLevel(value, done));
  }

  private along(axis: "x" | "y" | "z"): void {
    const views: Record<string, [Vector, Vector]> = { z: [[0, 0, -1], [0, 1, 0]], y: [[0, 1, 0], [0, 0, 1]], x: [[-1, 0, 0], [0, 0, 1]] };
    this.scene.lookAlong(...views[axis]);
    this.sendCamera();
  }

  private reset(): void {
    this.scene.reset();
    this.sendCamera();
  }

  private sendCamera = throttle(() => {
    const [, up, towards] = this.scene.rotation;
    this.frame.guard(this.frame.link.ask("camera", { view: towards.map((value) => -value), up }));
  }, 200);

  private snapshot(): void {
    this.scene.canvas.toBlob((blob) => {
      if (!blob) return;
      const link = h("a", { href: URL.createObjectURL(blob), download: `${this.row(this.chosen)?.name ?? "map"}.png` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  }

  /** The ground of the scene is that of the page. */
  private followGround(): void {
    const look = (): void => {
      const parts = getComputedStyle(this.frame.root).backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [255, 255, 255];
      this.scene.ground = parts.slice(0, 3).map((value) => clamp(value / 255, 0, 1)) as Vector;
      const dark = this.scene.ground[0] < 0.5;
      this.scene.element.style.background = `rgb(${parts.slice(0, 3).join(",")})`;
      this.scene.element.style.setProperty("--spa-scale-ink", dark ? "#fff" : "#222");
      this.scene.draw();
    };
    const observer = new MutationObserver(() => setTimeout(look, 100));
    observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-name", "class"] });
    this.frame.onClose(() => observer.disconnect());
    setTimeout(look, 0);
  }
}

export default {
  render({ model, el }: RenderProps<any>) {
    const frame = new Frame(model, el, "volume_viewer");
    frame.whenReady(() => new VolumeView(frame));
    return frame.close;
  },
};

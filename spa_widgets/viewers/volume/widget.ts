/** VolumeViewer: the view of the napari model. Each map comes once, packed; contouring needs no network. */
import type { RenderProps } from "@anywidget/types";
import { h, save, throttle } from "../kit/dom.ts";
import { Frame } from "../kit/frame.ts";
import { bytes } from "../kit/link.ts";
import { Bar } from "./bar.ts";
import { Contourer } from "./contourer.ts";
import { rgb, type Vector } from "./geometry.ts";
import { centreOf, extentOf, toLevel, unpack, type Facts, type Row, type Thing, type Volume } from "./maps.ts";
import type { Look } from "./meshes.ts";
import { followGround, STYLE } from "./page.ts";
import { Panel } from "./panel.ts";
import { Scene } from "./scene.ts";
import { SliceStrip, type Axis } from "./slices.ts";
import type { Camera, Stage } from "./stage.ts";
import { Stream } from "./stream.ts";
import type { Mesh } from "./surfaceNets.ts";
import { showThing } from "./things.ts";
import { Tints } from "./tints.ts";
import { follow, keep, keysOf, LINKED } from "./together.ts";

const VIEWS: Record<Axis, [Vector, Vector]> = { z: [[0, 0, -1], [0, 1, 0]], y: [[0, 1, 0], [0, 0, 1]], x: [[-1, 0, 0], [0, 0, 1]] };

class VolumeView {
  private volumes = new Map<string, Volume>();
  private versions = new Map<string, number>();
  private drawn = new Map<string, string>();
  private tinted = new Map<string, string>();
  private tints: Tints;
  private local = new Map<string, number>();
  private stage: Stage;
  private scene: Scene | null = null;
  private contourer: Contourer;
  private panel: Panel;
  private bar: Bar;
  private slices: SliceStrip;
  private place = h("div", { style: "display: contents" });
  private chosen = "";
  private fitted = false;
  private turnedAt = 0;
  private count = h("div", { class: "spa-hint", "aria-hidden": "true" });
  private notice = h("div", { class: "spa-bar", role: "status" });

  constructor(private frame: Frame) {
    const { link, t } = frame;
    this.panel = new Panel(frame, {
      choose: (id) => this.choose(id), send: (id, changes) => this.send(id, changes), level: (value, done) => this.setLevel(value, done), download: (id) => frame.guard(this.download(id)),
      colourBy: (key, other) => frame.guard(link.ask("colour_by", { key, other })),
    });
    this.slices = new SliceStrip(frame);
    this.bar = new Bar(frame, { along: (axis) => this.along(axis), reset: () => this.reset(), snapshot: () => this.snapshot() });
    this.tints = new Tints(frame, () => this.rows(), () => this.update());
    this.contourer = new Contourer((id, mesh) => this.contoured(id, mesh));
    this.stage = this.makeStage();
    frame.root.append(h("style", { textContent: STYLE }), this.bar.element, this.notice, h("div", { class: "spa-body spa-volume" }, this.place, this.panel.element), h("div", { class: "spa-under", style: "display: flex; flex-wrap: wrap; gap: 4px 12px; border-top: 1px solid var(--spa-line)" }, this.slices.element, this.panel.below));
    link.watch(["notice"], () => { this.notice.textContent = link.get("notice"); this.notice.style.display = link.get("notice") ? "" : "none"; });
    link.watch(["renderer"], () => this.changeRenderer());
    link.watch(["maps", "objects", "step"], () => this.update());
    link.on("camera", (camera) => { if (Date.now() - this.turnedAt > 500) this.stage.camera = camera; });
    frame.guard(link.ask<Camera>("camera").then(({ content }) => { this.stage.camera = content; }));
    const linked = (event: Event): void => follow(event as CustomEvent, link.get("camera_group"), this, (camera) => { this.turnedAt = Date.now(); this.stage.camera = camera; });
    document.addEventListener(LINKED, linked);
    frame.onClose(() => { document.removeEventListener(LINKED, linked); this.stage.destroy(); this.contourer.destroy(); });
    followGround(frame, () => this.stage);
    frame.addKeys(keysOf(t, {
      turn: (x, y) => { this.stage.turn(x, y); this.moved(); }, nudge: (by) => this.nudge(by), along: (axis) => this.along(axis),
      zoom: (factor) => { this.stage.zoomBy(factor); this.moved(); }, reset: () => this.reset(),
    }));
  }

  private makeStage(): Stage {
    const { t, link } = this.frame;
    const moved = (): void => this.moved();
    this.scene = link.get("renderer") === "napari" ? null : new Scene(t("volume_viewer"), moved);
    const stage = this.scene ?? new Stream(this.frame, t("volume_viewer"), moved);
    stage.element.append(this.count);
    this.place.replaceChildren(stage.element);
    this.frame.root.dataset.renderer = this.scene ? "browser" : "napari";
    return stage;
  }

  private changeRenderer(): void {
    if ((this.scene ? "browser" : "napari") === this.frame.link.get("renderer")) return;
    const { camera, extent_A, home, ground } = this.stage;
    this.stage.destroy();
    this.count.textContent = "";
    this.stage = Object.assign(this.makeStage(), { camera, extent_A, home, ground });
    for (const memory of [this.drawn, this.tinted]) memory.clear();
    for (const id of [...this.versions.keys()]) if (!this.volumes.has(id)) this.versions.delete(id);
    this.update();
    this.moved();
  }

  private rows(): Row[] {
    return this.frame.link.get<Row[]>("maps");
  }

  private row(id: string): Row | undefined {
    return this.rows().find((row) => row.id === id);
  }

  private look(row: Row, volume: Volume): Look {
    return { colour: rgb(row.colour), opacity: row.opacity, visible: row.visible, mesh: row.style === "mesh", clip: row.clip, voxel_A: volume.pixel_size_A, origin: row.origin };
  }

  private levelOf(row: Row): number {
    return this.local.get(row.id) ?? row.level;
  }

  private update(): void {
    const rows = this.rows();
    const things = this.frame.link.get<Thing[]>("objects");
    if (rows.length && !rows.some((row) => row.id === this.chosen)) this.choose(rows[0].id);
    for (const row of rows) {
      if (this.versions.get(row.id) !== row.version) this.frame.guard(this.load(row));
      else if (this.volumes.has(row.id)) this.show(row);
    }
    for (const thing of things) if (this.scene && thing.kind !== "other") this.frame.guard(showThing(this.frame, thing, this.versions, () => this.scene));
    this.scene?.keep(new Set([...rows, ...things].map((each) => each.id)));
    keep(this.volumes, new Set(rows.map((row) => row.id)));
    this.sync();
  }

  private async load({ id, version }: Row): Promise<void> {
    this.versions.set(id, version);
    const { content, buffers } = await this.frame.link.ask<Facts>("volume", { key: id });
    const volume: Volume = { ...content, data: await unpack(bytes(buffers[0])) };
    this.volumes.set(id, volume);
    this.drawn.delete(id);
    this.contourer.add(id, volume.data, volume.shape);
    this.fitTo(id, volume);
    if (id === this.chosen) this.choose(id);
    this.update();
  }

  /** The first map decides how much is seen. */
  private fitTo(id: string, volume: Volume): void {
    const row = this.row(id);
    if (!row || (this.fitted && id !== this.rows()[0].id)) return;
    this.fitted = true;
    this.stage.extent_A = extentOf(volume, toLevel(volume, row.level));
    this.stage.home = centreOf(volume, row.origin);
    this.bar.reach((Math.max(...volume.shape) * volume.pixel_size_A) / 2);
    this.stage.draw();
  }

  private show(row: Row): void {
    const volume = this.volumes.get(row.id)!;
    if (!this.scene) return;
    this.scene.setLook(row.id, this.look(row, volume));
    const step = this.frame.link.get<number>("step");
    const key = `${this.levelOf(row)} ${step}`;
    if (row.visible && this.drawn.get(row.id) !== key) {
      this.drawn.set(row.id, key);
      this.contourer.contour(row.id, toLevel(volume, this.levelOf(row)), step);
    }
    const tint = JSON.stringify(row.colour_by);
    const mesh = this.scene.meshOf(row.id);
    if (mesh && this.tinted.get(row.id) !== tint && (!row.colour_by || this.tints.other(row))) {
      this.tinted.set(row.id, tint);
      this.scene.setTints(row.id, this.tints.at(row, mesh.positions));
    }
  }

  private contoured(id: string, mesh: Mesh): void {
    const [volume, row] = [this.volumes.get(id), this.row(id)];
    if (!volume || !row || !this.scene) return;
    this.scene.setMesh(id, mesh, this.look(row, volume), this.tints.at(row, mesh.positions));
    this.tinted.set(id, this.tints.other(row) || !row.colour_by ? JSON.stringify(row.colour_by) : "");
    this.count.textContent = this.frame.t("triangles", { count: Math.round(this.scene.triangles).toLocaleString("en-US") });
    this.frame.root.dataset.triangles = String(Math.round(this.scene.triangles));
    this.frame.root.dataset.contour_ms = String(Math.round(mesh.took_ms ?? 0));
  }

  private choose(id: string): void {
    this.chosen = id;
    const [row, volume] = [this.row(id), this.volumes.get(id)];
    if (!row || !volume) return;
    this.panel.choose(row, volume);
    this.slices.show(volume, row.origin);
    this.sync();
  }

  private sync(): void {
    const [row, volume] = [this.row(this.chosen), this.volumes.get(this.chosen)];
    this.panel.sync(this.rows(), this.frame.link.get("objects"), row && volume ? this.levelOf(row) : null);
    if (!row || !volume) return;
    this.panel.histogram.show(volume, row, this.levelOf(row));
    this.slices.grey = row.contrast.map((value) => toLevel(volume, value)) as [number, number];
    this.slices.outlines = this.rows().filter((each) => each.visible && this.volumes.has(each.id)).map((each) => {
      const own = this.volumes.get(each.id)!;
      return { volume: own, level: toLevel(own, this.levelOf(each)), colour: rgb(each.colour) };
    });
    this.slices.draw();
  }

  private sendLevel = throttle((id: string, level: number) => this.send(id, { level }), 150);

  private setLevel(level: number, done: boolean): void {
    const row = this.row(this.chosen);
    if (!row || !this.volumes.has(row.id)) return;
    this.local.set(row.id, level);
    this.show(row);
    this.sync();
    if (done) this.frame.guard(this.frame.link.ask("set", { key: row.id, changes: { level } }).then(() => { this.local.delete(row.id); }));
    else this.sendLevel(row.id, level);
  }

  private nudge(bySigma: number): void {
    const row = this.row(this.chosen);
    if (row) this.setLevel(this.levelOf(row) + bySigma * row.std, true);
  }

  private send(id: string, changes: Record<string, unknown>): void {
    this.frame.guard(this.frame.link.ask("set", { key: id, changes }));
  }

  private along(axis: Axis): void {
    const [view, up] = VIEWS[axis];
    this.stage.camera = { ...this.stage.camera, view, up };
    this.moved();
  }

  private reset(): void {
    const [view, up] = VIEWS.z;
    this.stage.camera = { view, up, zoom: null, centre: null };
    this.moved();
  }

  /** Tell the kernel and the linked views where one looks from. */
  private moved(): void {
    this.turnedAt = Date.now();
    const group = this.frame.link.get<string>("camera_group");
    if (group) document.dispatchEvent(new CustomEvent(LINKED, { detail: { group, from: this, camera: this.stage.camera } }));
    this.sendCamera();
  }

  private sendCamera = throttle(() => this.frame.guard(this.frame.link.ask("camera", { ...this.stage.camera })), 100);

  private snapshot(): void {
    this.stage.canvas.toBlob((blob) => { if (blob) save(blob, `${this.row(this.chosen)?.name ?? "map"}.png`); });
  }

  private async download(key: string): Promise<void> {
    const { content, buffers } = await this.frame.link.ask<{ name: string }>("mrc", { key });
    save(new Blob([bytes(buffers[0])], { type: "application/octet-stream" }), content.name);
  }
}

export default {
  render({ model, el }: RenderProps<any>) {
    const frame = new Frame(model, el, "volume_viewer");
    frame.whenReady(() => new VolumeView(frame));
    return frame.close;
  },
};

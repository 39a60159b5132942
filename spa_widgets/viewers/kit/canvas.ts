/** A picture on WebGL: pan, zoom and contrast cost no network, circles are instances, a scale bar says how large things are. */
import { clamp, h, niceLength } from "./dom.ts";
import { circleFragment, circleVertex, imageFragment, imageVertex, program } from "./shaders.ts";

/** What a circle means; the colours tell apart for colour-blind eyes (Okabe and Ito's palette, lightened for dark ground). */
export enum Mark { Plain = 0, Chosen = 1, Rejected = 2, Suggested = 3 } // a rejected one is smaller, thin and faint
const MARK_COLOURS = new Float32Array([0.2, 0.86, 0.62, 1.0, 0.83, 0.25, 0.88, 0.38, 0.12, 0.34, 0.71, 0.95]);

export interface Gestures {
  /** Index of the mark under the pointer, or -1. */
  hit?: (x: number, y: number) => number;
  click?: (x: number, y: number, button: number, event: PointerEvent) => void;
  dragMark?: (index: number, x: number, y: number, done: boolean) => void;
  hover?: (x: number, y: number, index: number) => void;
}

interface Press { x: number; y: number; startX: number; startY: number; button: number; mark: number; moved: boolean }

export class ImageCanvas {
  readonly element: HTMLElement;
  private canvas = h("canvas", { "aria-hidden": "true" });
  private scaleBar = h("div", { class: "spa-scale" });
  private scaleText = h("span");
  private scaleLine = h("i");
  private gl: WebGL2RenderingContext;
  private imageProgram!: WebGLProgram;
  private circleProgram!: WebGLProgram;
  private texture: WebGLTexture | null = null;
  private instanceBuffer: WebGLBuffer | null = null;
  private instances = new Float32Array(0);
  private bitmap: ImageBitmap | null = null;
  private pending = false;
  private pointers = new Map<number, Press>();
  private pinch = 0;
  private observer: ResizeObserver;
  private fitted = true;
  private size: [number, number] = [1, 1];
  /** Centre of the view in image pixels and CSS pixels for each of them. */
  centre: [number, number] = [0.5, 0.5];
  zoom = 1;
  gain = 1;
  offset = 0;
  invert = false;
  radius_px = 20;
  pixelSize_A = 0;
  frames = 0;

  constructor(private gestures: Gestures = {}, label = "") {
    this.scaleBar.append(this.scaleText, this.scaleLine);
    this.element = h("div", { class: "spa-stage", role: "img", "aria-label": label }, this.canvas, this.scaleBar);
    const gl = this.canvas.getContext("webgl2", { antialias: false, alpha: false, preserveDrawingBuffer: true });
    if (!gl) throw new Error("this browser offers no WebGL 2; switch hardware or software rendering on");
    this.gl = gl;
    this.prepare();
    this.canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    this.canvas.addEventListener("webglcontextrestored", () => { this.prepare(); this.upload(); this.setMarks(this.instances); });
    this.observer = new ResizeObserver(() => { if (this.fitted) this.fit(); this.draw(); });
    this.observer.observe(this.element);
    this.listen();
  }

  private prepare(): void {
    this.imageProgram = program(this.gl, imageVertex, imageFragment);
    this.circleProgram = program(this.gl, circleVertex, circleFragment);
    this.instanceBuffer = this.gl.createBuffer();
  }

  /** Show a picture that covers `width_px` x `height_px` image pixels (it may itself be binned). */
  setPicture(bitmap: ImageBitmap, width_px: number, height_px: number): void {
    this.bitmap?.close();
    this.bitmap = bitmap;
    const changed = this.size[0] !== width_px || this.size[1] !== height_px;
    this.size = [width_px, height_px];
    this.upload();
    if (changed || this.fitted) this.fit();
    this.draw();
  }

  private upload(): void {
    if (!this.bitmap) return;
    const gl = this.gl;
    if (this.texture) gl.deleteTexture(this.texture);
    this.texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, gl.RED, gl.UNSIGNED_BYTE, this.bitmap);
    gl.generateMipmap(gl.TEXTURE_2D);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  }

  /** Circles as triples x, y, Mark in image pixels. */
  setMarks(triples: Float32Array<ArrayBuffer>): void {
    this.instances = triples;
    const gl = this.gl;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.instanceBuffer);
    gl.bufferData(gl.ARRAY_BUFFER, triples, gl.DYNAMIC_DRAW);
    this.draw();
  }

  /** Zoom so that the whole picture is seen. */
  fit(): void {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!width || !height) return;
    this.zoom = Math.min(width / this.size[0], height / this.size[1]);
    this.centre = [this.size[0] / 2, this.size[1] / 2];
    this.fitted = true;
    this.draw();
  }

  /** Zoom by a factor about a point of the element (its middle by default). */
  zoomBy(factor: number, at?: [number, number]): void {
    const box = this.element.getBoundingClientRect();
    const [px, py] = at ?? [box.width / 2, box.height / 2];
    const before = this.toImage(px, py);
    const least = 0.5 * Math.min(box.width / this.size[0], box.height / this.size[1]);
    this.zoom = clamp(this.zoom * factor, least, 16);
    this.fitted = false;
    const after = this.toImage(px, py);
    this.centre = [this.centre[0] + before[0] - after[0], this.centre[1] + before[1] - after[1]];
    this.draw();
  }

  panBy(dx_css: number, dy_css: number): void {
    this.fitted = false;
    this.centre = [clamp(this.centre[0] - dx_css / this.zoom, 0, this.size[0]), clamp(this.centre[1] - dy_css / this.zoom, 0, this.size[1])];
    this.draw();
  }

  toImage(x_css: number, y_css: number): [number, number] {
    return [this.centre[0] + (x_css - this.element.clientWidth / 2) / this.zoom, this.centre[1] + (y_css - this.element.clientHeight / 2) / this.zoom];
  }

  toScreen(x: number, y: number): [number, number] {
    return [(x - this.centre[0]) * this.zoom + this.element.clientWidth / 2, (y - this.centre[1]) * this.zoom + this.element.clientHeight / 2];
  }

  draw = (): void => {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => { this.pending = false; this.paint(); });
  };

  private paint(): void {
    const gl = this.gl;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [this.element.clientWidth, this.element.clientHeight];
    if (!width || !height) return;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
    }
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clearColor(0.086, 0.094, 0.106, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (this.texture) this.paintImage(width, height);
    if (this.instances.length) this.paintCircles(width, height);
    this.paintScale(width);
    this.frames++;
  }

  private viewUniforms(used: WebGLProgram, width: number, height: number): void {
    const gl = this.gl;
    gl.useProgram(used);
    gl.uniform2f(gl.getUniformLocation(used, "centre"), this.centre[0], this.centre[1]);
    gl.uniform2f(gl.getUniformLocation(used, "scale"), (2 * this.zoom) / width, (-2 * this.zoom) / height);
  }

  private paintImage(width: number, height: number): void {
    const gl = this.gl;
    this.viewUniforms(this.imageProgram, width, height);
    gl.uniform2f(gl.getUniformLocation(this.imageProgram, "size"), this.size[0], this.size[1]);
    gl.uniform3f(gl.getUniformLocation(this.imageProgram, "contrast"), this.invert ? -this.gain : this.gain, this.offset, 0.5);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.disable(gl.BLEND);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  private paintCircles(width: number, height: number): void {
    const gl = this.gl;
    this.viewUniforms(this.circleProgram, width, height);
    gl.uniform2f(gl.getUniformLocation(this.circleProgram, "ring"), Math.max(this.radius_px * this.zoom, 3), this.zoom);
    gl.uniform3fv(gl.getUniformLocation(this.circleProgram, "colours"), MARK_COLOURS);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.instanceBuffer);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 3, gl.FLOAT, false, 0, 0);
    gl.vertexAttribDivisor(0, 1);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, this.instances.length / 3);
    gl.disableVertexAttribArray(0);
  }

  private paintScale(width: number): void {
    this.scaleBar.style.display = this.pixelSize_A ? "" : "none";
    if (!this.pixelSize_A) return;
    const length_A = niceLength((Math.min(180, width / 4) / this.zoom) * this.pixelSize_A);
    this.scaleLine.style.width = `${(length_A / this.pixelSize_A) * this.zoom}px`;
    this.scaleText.textContent = length_A >= 100 ? `${length_A / 10} nm` : `${length_A} Å`;
  }

  private place(event: PointerEvent | WheelEvent): [number, number] {
    const box = this.element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  private listen(): void {
    const canvas = this.canvas;
    canvas.addEventListener("contextmenu", (event) => { event.preventDefault(); event.stopPropagation(); });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomBy(Math.exp(-clamp(event.deltaY, -120, 120) * 0.0022), this.place(event));
    }, { passive: false });
    canvas.addEventListener("pointerdown", this.onDown);
    canvas.addEventListener("pointermove", this.onMove);
    canvas.addEventListener("pointerup", this.onUp);
    canvas.addEventListener("pointercancel", (event) => this.pointers.delete(event.pointerId));
  }

  private onDown = (event: PointerEvent): void => {
    const [x, y] = this.place(event);
    const mark = event.button === 0 && this.gestures.dragMark ? this.gestures.hit?.(...this.toImage(x, y)) ?? -1 : -1;
    this.pointers.set(event.pointerId, { x, y, startX: x, startY: y, button: event.button, mark, moved: false });
    if (this.pointers.size === 2) this.pinch = this.spread();
    try { this.canvas.setPointerCapture(event.pointerId); } catch { /* a synthetic pointer cannot be captured */ }
  };

  private spread(): number {
    const [a, b] = [...this.pointers.values()];
    return Math.hypot(a.x - b.x, a.y - b.y);
  }

  private onMove = (event: PointerEvent): void => {
    const [x, y] = this.place(event);
    const press = this.pointers.get(event.pointerId);
    if (!press) {
      const point = this.toImage(x, y);
      this.gestures.hover?.(...point, this.gestures.hit?.(...point) ?? -1);
      return;
    }
    const [dx, dy] = [x - press.x, y - press.y];
    press.x = x;
    press.y = y;
    if (Math.hypot(x - press.startX, y - press.startY) > 4) press.moved = true;
    if (this.pointers.size === 2) {
      const spread = this.spread();
      for (const each of this.pointers.values()) each.moved = true;
      this.zoomBy(spread / (this.pinch || spread), [x, y]);
      this.pinch = spread;
    } else if (press.moved && press.mark >= 0) this.gestures.dragMark!(press.mark, ...this.toImage(x, y), false);
    else if (press.moved) this.panBy(dx, dy);
  };

  private onUp = (event: PointerEvent): void => {
    const press = this.pointers.get(event.pointerId);
    this.pointers.delete(event.pointerId);
    if (!press) return;
    const point = this.toImage(...this.place(event));
    if (press.moved && press.mark >= 0) this.gestures.dragMark!(press.mark, ...point, true);
    else if (!press.moved) this.gestures.click?.(...point, press.button, event);
  };

  /** Zoom buttons for people without a wheel. */
  tools(labels: { zoomIn: string; zoomOut: string; fit: string }): HTMLElement {
    const button = (text: string, label: string, act: () => void): HTMLButtonElement => h("button", { title: label, "aria-label": label, onclick: act }, text);
    return h("div", { class: "spa-tools" },
      button("+", labels.zoomIn, () => this.zoomBy(1.4)), button("−", labels.zoomOut, () => this.zoomBy(1 / 1.4)), button("⤢", labels.fit, () => this.fit()));
  }

  destroy(): void {
    this.observer.disconnect();
    this.bitmap?.close();
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

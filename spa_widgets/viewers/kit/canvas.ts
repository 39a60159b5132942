/** A picture on WebGL: pan, zoom and contrast cost no network, circles lie above it, a scale bar says how large things are. */
import { clamp, h, niceLength } from "./dom.ts";
import { GestureReader, type Gestures } from "./gestures.ts";
import { Mark, MarkLayer } from "./marks.ts";
import { imageFragment, imageVertex, program } from "./shaders.ts";

export { Mark, type Gestures };
const MOST_DEVICE_PIXELS = 2; // for each CSS pixel; more is not seen, but paid for
const SLOW_RENDERER = /swiftshader|llvmpipe|software/i;

export class ImageCanvas {
  readonly element: HTMLElement;
  private canvas = h("canvas", { "aria-hidden": "true" });
  private scaleBar = h("div", { class: "spa-scale", style: "display: none" }); // until the size of a pixel is known
  private scaleText = h("span");
  private scaleLine = h("i");
  private gl: WebGL2RenderingContext;
  private imageProgram!: WebGLProgram;
  private texture: WebGLTexture | null = null;
  private layer = new MarkLayer();
  private marks: Float32Array = new Float32Array(0);
  private mostPixels = MOST_DEVICE_PIXELS;
  private bitmap: ImageBitmap | null = null;
  private pending = false;
  private painted = "";
  private stamped = "";
  private marksChanged = false;
  private pictures = 0;
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

  constructor(gestures: Gestures = {}, label = "") {
    this.scaleBar.append(this.scaleText, this.scaleLine);
    this.element = h("div", { class: "spa-stage", role: "group", "aria-label": label }, this.canvas, this.layer.canvas, this.scaleBar);
    const gl = this.canvas.getContext("webgl2", { antialias: false, alpha: false });
    if (!gl) throw new Error("this browser offers no WebGL 2; switch hardware or software rendering on");
    this.gl = gl;
    if (SLOW_RENDERER.test(rendererName(gl))) this.mostPixels = 1;
    this.prepare();
    this.canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    this.canvas.addEventListener("webglcontextrestored", () => { this.prepare(); this.upload(); this.pictures++; this.draw(); });
    this.observer = new ResizeObserver(() => { if (this.fitted) this.fit(); this.draw(); });
    this.observer.observe(this.element);
    new GestureReader(this.layer.canvas, this, gestures);
  }

  private prepare(): void {
    this.imageProgram = program(this.gl, imageVertex, imageFragment);
  }

  /** Show a picture that covers `width_px` x `height_px` image pixels (it may itself be binned). */
  setPicture(bitmap: ImageBitmap, width_px: number, height_px: number): void {
    this.bitmap?.close();
    this.bitmap = bitmap;
    this.pictures++;
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
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  }

  /** Circles as triples x, y, Mark in image pixels. */
  setMarks(triples: Float32Array): void {
    this.marks = triples;
    this.marksChanged = true;
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
    const ratio = Math.min(window.devicePixelRatio || 1, this.mostPixels);
    const [width, height] = [this.element.clientWidth, this.element.clientHeight];
    if (!width || !height) return;
    const look = [width, height, ratio, this.zoom, ...this.centre, this.gain, this.offset, this.invert, this.pictures].join();
    if (look !== this.painted) this.paintImage(width, height, ratio);
    const where = [width, height, ratio, this.zoom, ...this.centre, this.radius_px, this.pixelSize_A].join();
    if (where !== this.stamped || this.marksChanged) {
      this.layer.paint(this.marks, this.radius_px * this.zoom, { centre: this.centre, zoom: this.zoom, width, height, ratio });
      this.paintScale(width);
    }
    [this.painted, this.stamped, this.marksChanged] = [look, where, false];
    this.frames++;
  }

  private paintImage(width: number, height: number, ratio: number): void {
    const gl = this.gl;
    const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== across || this.canvas.height !== down) [this.canvas.width, this.canvas.height] = [across, down];
    gl.viewport(0, 0, across, down);
    gl.clearColor(0.086, 0.094, 0.106, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (!this.texture) return;
    const at = (name: string): WebGLUniformLocation | null => gl.getUniformLocation(this.imageProgram, name);
    gl.useProgram(this.imageProgram);
    gl.uniform2f(at("centre"), this.centre[0], this.centre[1]);
    gl.uniform2f(at("scale"), (2 * this.zoom) / width, (-2 * this.zoom) / height);
    gl.uniform2f(at("size"), this.size[0], this.size[1]);
    gl.uniform3f(at("contrast"), this.invert ? -this.gain : this.gain, this.offset, 0.5);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  private paintScale(width: number): void {
    this.scaleBar.style.display = this.pixelSize_A ? "" : "none";
    if (!this.pixelSize_A) return;
    const length_A = niceLength((Math.min(180, width / 4) / this.zoom) * this.pixelSize_A);
    this.scaleLine.style.width = `${(length_A / this.pixelSize_A) * this.zoom}px`;
    this.scaleText.textContent = length_A >= 100 ? `${length_A / 10} nm` : `${length_A} Å`;
  }

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

function rendererName(gl: WebGL2RenderingContext): string {
  const extension = gl.getExtension("WEBGL_debug_renderer_info");
  return String(gl.getParameter(extension ? extension.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
}

/** Meshes drawn with WebGL 2: orthographic, right-handed (x right, y up, z to the viewer), lit from the viewer's shoulder. */
import { clamp, h, niceLength } from "../kit/dom.ts";
import { program } from "../kit/shaders.ts";
import type { Mesh } from "./surfaceNets.ts";

export type Vector = [number, number, number];
/** Rows: the screen's x, y and the direction to the viewer, in the volume's axes x, y, z. */
export type Rotation = [Vector, Vector, Vector];
export interface Look { colour: Vector; opacity: number; visible: boolean; mesh: boolean }
interface Drawn extends Look { array: WebGLVertexArrayObject; count: number; edges: number; buffers: WebGLBuffer[]; centre: Vector; voxel_A: number }

const vertex = `#version 300 es
layout(location = 0) in vec3 position; layout(location = 1) in vec3 normal;
uniform mat3 turn; uniform vec3 centre; uniform float voxel; uniform vec3 scale; uniform vec2 pan; uniform float depth;
out vec3 n; out float away;
void main() {
  vec3 p = turn * ((position - centre) * voxel);
  n = turn * normal; away = p.z / depth;
  gl_Position = vec4(p.xy * scale.xy + pan, -p.z * scale.z, 1.0);
}`;
const fragment = `#version 300 es
precision highp float;
in vec3 n; in float away; uniform vec4 ink; uniform vec3 ground; out vec4 colour;
void main() {
  vec3 m = normalize(n); if (m.z < 0.0) m = -m;
  float key = max(dot(m, normalize(vec3(-0.45, 0.6, 0.75))), 0.0), fill = max(dot(m, normalize(vec3(0.7, -0.2, 0.5))), 0.0);
  float shine = pow(max(dot(m, normalize(vec3(-0.25, 0.35, 1.0))), 0.0), 34.0);
  float rim = 1.0 - pow(1.0 - m.z, 3.0) * 0.55;
  vec3 lit = ink.rgb * (0.24 + 0.66 * key + 0.22 * fill) * rim + 0.16 * shine;
  colour = vec4(mix(ground, lit, clamp(0.78 + 0.30 * away, 0.35, 1.0)), ink.a);
}`;

export class Scene {
  readonly element: HTMLElement;
  readonly canvas = h("canvas", { "aria-hidden": "true" });
  private gl: WebGL2RenderingContext;
  private shader!: WebGLProgram;
  private maps = new Map<string, Drawn>();
  private meshes = new Map<string, { mesh: Mesh; centre: Vector; voxel_A: number }>();
  private pending = false;
  private observer: ResizeObserver;
  private scaleText = h("span");
  private scaleLine = h("i");
  private pointers = new Map<number, [number, number]>();
  rotation: Rotation = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
  zoom = 1;
  pan: [number, number] = [0, 0];
  extent_A = 100;
  ground: Vector = [1, 1, 1];

  constructor(label: string, private turned: (done: boolean) => void) {
    this.element = h("div", { class: "spa-stage spa-scene", role: "img", "aria-label": label }, this.canvas, h("div", { class: "spa-scale" }, this.scaleText, this.scaleLine));
    const gl = this.canvas.getContext("webgl2", { antialias: true, alpha: false, preserveDrawingBuffer: true });
    if (!gl) throw new Error("this browser offers no WebGL 2; switch hardware or software rendering on");
    this.gl = gl;
    this.shader = program(gl, vertex, fragment);
    this.canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    this.canvas.addEventListener("webglcontextrestored", () => this.restore());
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.element);
    this.listen();
  }

  private restore(): void {
    this.shader = program(this.gl, vertex, fragment);
    const looks = new Map(this.maps);
    this.maps.clear();
    for (const [id, { mesh, centre, voxel_A }] of this.meshes) this.setMesh(id, mesh, centre, voxel_A, looks.get(id)!);
  }

  setMesh(id: string, mesh: Mesh, centre: Vector, voxel_A: number, look: Look): void {
    const gl = this.gl;
    this.remove(id);
    this.meshes.set(id, { mesh, centre, voxel_A });
    const array = gl.createVertexArray()!;
    gl.bindVertexArray(array);
    const buffers = [mesh.positions, mesh.normals].map((values, place) => {
      const buffer = gl.createBuffer()!;
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, 3, gl.FLOAT, false, 0, 0);
      return buffer;
    });
    const edges = look.mesh ? edgesOf(mesh.indices) : null;
    const order = gl.createBuffer()!;
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, order);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, edges ?? mesh.indices, gl.STATIC_DRAW);
    gl.bindVertexArray(null);
    this.maps.set(id, { ...look, array, count: mesh.indices.length, edges: edges?.length ?? 0, buffers: [...buffers, order], centre, voxel_A });
    this.draw();
  }

  setLook(id: string, look: Look): void {
    const map = this.maps.get(id);
    if (!map) return;
    const stored = this.meshes.get(id);
    if (map.mesh !== look.mesh && stored) return this.setMesh(id, stored.mesh, stored.centre, stored.voxel_A, look);
    Object.assign(map, look);
    this.draw();
  }

  private remove(id: string): void {
    const old = this.maps.get(id);
    if (!old) return;
    for (const buffer of old.buffers) this.gl.deleteBuffer(buffer);
    this.gl.deleteVertexArray(old.array);
    this.maps.delete(id);
  }

  get triangles(): number {
    let sum = 0;
    for (const map of this.maps.values()) if (map.visible) sum += map.count / 3;
    return sum;
  }

  draw = (): void => {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => { this.pending = false; this.paint(); });
  };

  /** CSS pixels for one Å. */
  private perA(): number {
    return (this.zoom * 0.86 * Math.min(this.element.clientWidth, this.element.clientHeight)) / this.extent_A;
  }

  private paint(): void {
    const gl = this.gl;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [this.element.clientWidth, this.element.clientHeight];
    if (!width || !height) return;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) [this.canvas.width, this.canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clearColor(...this.ground, 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    gl.useProgram(this.shader);
    const perA = this.perA();
    const place = (name: string): WebGLUniformLocation | null => gl.getUniformLocation(this.shader, name);
    gl.uniformMatrix3fv(place("turn"), true, this.rotation.flat());
    gl.uniform3f(place("scale"), (2 * perA) / width, (2 * perA) / height, 0.5 / this.extent_A);
    gl.uniform2f(place("pan"), (2 * this.pan[0]) / width, (-2 * this.pan[1]) / height);
    gl.uniform1f(place("depth"), this.extent_A / 2);
    gl.uniform3f(place("ground"), ...this.ground);
    const shown = [...this.maps.values()].filter((map) => map.visible && map.count && map.opacity > 0);
    for (const map of shown.sort((a, b) => b.opacity - a.opacity)) this.paintMap(map, place);
    const length_A = niceLength(Math.min(150, width / 4) / perA);
    this.scaleLine.style.width = `${length_A * perA}px`;
    this.scaleText.textContent = `${length_A} Å`;
  }

  private paintMap(map: Drawn, place: (name: string) => WebGLUniformLocation | null): void {
    const gl = this.gl;
    gl.uniform3f(place("centre"), ...map.centre);
    gl.uniform1f(place("voxel"), map.voxel_A);
    gl.uniform4f(place("ink"), ...map.colour, map.opacity);
    gl.bindVertexArray(map.array);
    const [kind, count] = map.mesh ? [gl.LINES, map.edges] : [gl.TRIANGLES, map.count];
    if (map.opacity < 1) {
      // depth first, then colour: only the nearest layer of a transparent surface is blended
      gl.colorMask(false, false, false, false);
      gl.drawElements(kind, count, gl.UNSIGNED_INT, 0);
      gl.colorMask(true, true, true, true);
      gl.enable(gl.BLEND);
      gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
    }
    gl.depthFunc(gl.LEQUAL);
    gl.drawElements(kind, count, gl.UNSIGNED_INT, 0);
    gl.disable(gl.BLEND);
    gl.bindVertexArray(null);
  }

  /** Turn about the screen's x and y axes by angles in radians. */
  turn(aboutX: number, aboutY: number): void {
    const [cx, sx, cy, sy] = [Math.cos(aboutX), Math.sin(aboutX), Math.cos(aboutY), Math.sin(aboutY)];
    const step: Rotation = [[cy, 0, sy], [sx * sy, cx, -sx * cy], [-cx * sy, sx, cx * cy]];
    this.rotation = orthonormal(multiply(step, this.rotation));
    this.draw();
  }

  /** Look along a direction with another one up (both in the volume's x, y, z). */
  lookAlong(view: Vector, up: Vector): void {
    const towards: Vector = [-view[0], -view[1], -view[2]];
    this.rotation = orthonormal([cross(up, towards), up, towards]);
    this.draw();
  }

  zoomBy(factor: number): void {
    this.zoom = clamp(this.zoom * factor, 0.3, 20);
    this.draw();
  }

  reset(): void {
    [this.zoom, this.pan] = [1, [0, 0]];
    this.lookAlong([0, 0, -1], [0, 1, 0]);
  }

  private listen(): void {
    const canvas = this.canvas;
    canvas.addEventListener("contextmenu", (event) => { event.preventDefault(); event.stopPropagation(); });
    canvas.addEventListener("wheel", (event) => { event.preventDefault(); this.zoomBy(Math.exp(-clamp(event.deltaY, -120, 120) * 0.002)); }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
      try { canvas.setPointerCapture(event.pointerId); } catch { /* synthetic */ }
    });
    const up = (event: PointerEvent): void => { if (this.pointers.delete(event.pointerId)) this.turned(true); };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("pointermove", (event) => this.move(event));
  }

  private move(event: PointerEvent): void {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const [dx, dy] = [event.clientX - before[0], event.clientY - before[1]];
    if (this.pointers.size === 2) {
      const other = [...this.pointers].find(([id]) => id !== event.pointerId)![1];
      const spread = (point: readonly number[]): number => Math.hypot(point[0] - other[0], point[1] - other[1]);
      this.zoomBy(spread([event.clientX, event.clientY]) / (spread(before) || 1));
    } else if (event.shiftKey || event.buttons === 2 || event.buttons === 4) {
      this.pan = [this.pan[0] + dx, this.pan[1] + dy];
      this.draw();
    } else {
      this.turn(dy * 0.008, dx * 0.008);
      this.turned(false);
    }
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
  }

  destroy(): void {
    this.observer.disconnect();
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

function edgesOf(indices: Uint32Array): Uint32Array<ArrayBuffer> {
  const lines = new Uint32Array((indices.length / 6) * 8);
  for (let quad = 0, at = 0; quad < indices.length; quad += 6) {
    const [a, b, c, d] = [indices[quad], indices[quad + 1], indices[quad + 2], indices[quad + 5]];
    lines.set([a, b, b, c, c, d, d, a], at);
    at += 8;
  }
  return lines;
}

const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a: Vector, b: Vector): Vector => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const unit = (a: Vector): Vector => { const length = Math.hypot(...a) || 1; return [a[0] / length, a[1] / length, a[2] / length]; };

export function multiply(a: Rotation, b: Rotation): Rotation {
  return a.map((row) => [0, 1, 2].map((column) => row[0] * b[0][column] + row[1] * b[1][column] + row[2] * b[2][column])) as Rotation;
}

/** The nearest right-handed frame that keeps the direction to the viewer. */
export function orthonormal(rotation: Rotation): Rotation {
  const towards = unit(rotation[2]);
  const part = dot(rotation[1], towards);
  const up = unit([rotation[1][0] - part * towards[0], rotation[1][1] - part * towards[1], rotation[1][2] - part * towards[2]]);
  return [cross(up, towards), up, towards];
}

/** Triangles and points on the graphics card, and the programs that draw them. */
import { program } from "../kit/shaders.ts";
import type { Vector } from "./geometry.ts";

export interface Triangles { positions: Float32Array<ArrayBuffer>; normals: Float32Array<ArrayBuffer>; indices: Uint32Array<ArrayBuffer> }
export interface Look { colour: Vector; opacity: number; visible: boolean; mesh: boolean; clip: number[] | null; voxel_A: number; origin: Vector }
export interface Marks { places: Float32Array<ArrayBuffer>; colours: Uint8Array<ArrayBuffer> }

const common = `#version 300 es
uniform mat3 turn; uniform vec3 middle; uniform vec3 scale; uniform float depth; uniform vec4 cut;
out float away; out float kept;
vec4 seen(vec3 world) {
  vec3 p = turn * (world - middle);
  away = p.z / depth; kept = dot(cut.xyz, world) - cut.w;
  return vec4(p.xy * scale.xy, -p.z * scale.z, 1.0);
}
`;
const light = `
vec3 lit(vec3 ink, vec3 m, vec3 ground, float away) {
  float key = max(dot(m, normalize(vec3(-0.45, 0.6, 0.75))), 0.0), fill = max(dot(m, normalize(vec3(0.7, -0.2, 0.5))), 0.0);
  float shine = pow(max(dot(m, normalize(vec3(-0.25, 0.35, 1.0))), 0.0), 34.0);
  float rim = 1.0 - pow(1.0 - m.z, 3.0) * 0.55;
  return mix(ground, ink * (0.24 + 0.66 * key + 0.22 * fill) * rim + 0.16 * shine, clamp(0.78 + 0.30 * away, 0.35, 1.0));
}
`;
const meshVertex = `${common}
layout(location = 0) in vec3 position; layout(location = 1) in vec3 normal; layout(location = 2) in vec3 tint;
uniform float voxel; uniform vec3 origin; out vec3 n; out vec3 own;
void main() { n = turn * normal; own = tint; gl_Position = seen(position * voxel + origin); }`;
// the inside, seen where a plane cuts the surface open, is paler and flat: one sees at once what is cut
const meshFragment = `#version 300 es
precision highp float;
in vec3 n; in vec3 own; in float away; in float kept; uniform vec4 ink; uniform float tinted; uniform vec3 ground; out vec4 colour;
${light}
void main() {
  if (kept < 0.0) discard;
  vec3 m = normalize(n); bool inside = m.z < 0.0; if (inside) m = -m;
  vec3 base = mix(ink.rgb, own, tinted);
  vec3 shown = inside ? mix(base * 0.45, lit(base, m, ground, away), 0.25) : lit(base, m, ground, away);
  colour = vec4(shown, ink.a);
}`;
const pointVertex = `${common}
layout(location = 0) in vec4 place; layout(location = 2) in vec3 tint;
uniform vec2 pixels; out vec3 own; out float radius;
void main() {
  gl_Position = seen(place.xyz); own = tint;
  gl_PointSize = clamp(place.w * pixels.x, 3.0, 512.0); radius = 0.5 * gl_PointSize / pixels.x * pixels.y;
}`;
const pointFragment = `#version 300 es
precision highp float;
in vec3 own; in float away; in float kept; in float radius; uniform float opacity; uniform vec3 ground; out vec4 colour;
${light}
void main() {
  vec2 at = (gl_PointCoord * 2.0 - 1.0) * vec2(1.0, -1.0);
  float r2 = dot(at, at);
  if (r2 > 1.0 || kept < 0.0) discard;
  float z = sqrt(1.0 - r2);
  gl_FragDepth = gl_FragCoord.z - radius * z;
  colour = vec4(lit(own, vec3(at, z), ground, away), opacity);
}`;

export class Programs {
  readonly mesh: WebGLProgram;
  readonly points: WebGLProgram;
  private places = new Map<string, WebGLUniformLocation | null>();

  constructor(private gl: WebGL2RenderingContext) {
    this.mesh = program(gl, meshVertex, meshFragment);
    this.points = program(gl, pointVertex, pointFragment);
  }

  at(of: WebGLProgram, name: string): WebGLUniformLocation | null {
    const key = `${of === this.mesh} ${name}`;
    if (!this.places.has(key)) this.places.set(key, this.gl.getUniformLocation(of, name));
    return this.places.get(key)!;
  }
}

/** One surface on the card. */
export class Surface {
  private array: WebGLVertexArrayObject;
  private buffers: WebGLBuffer[] = [];
  private tinted = false;
  private lines: [WebGLVertexArrayObject, number] | null = null;

  constructor(private gl: WebGL2RenderingContext, readonly triangles: Triangles, public look: Look, tints: Uint8Array<ArrayBuffer> | null = null) {
    this.array = this.arrayOf(triangles.indices);
    this.setTints(tints);
  }

  private arrayOf(indices: Uint32Array<ArrayBuffer>): WebGLVertexArrayObject {
    const gl = this.gl;
    const array = gl.createVertexArray()!;
    gl.bindVertexArray(array);
    if (!this.buffers.length) this.buffers = [this.triangles.positions, this.triangles.normals].map((values) => this.upload(gl.ARRAY_BUFFER, values));
    this.buffers.slice(0, 2).forEach((buffer, place) => {
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, 3, gl.FLOAT, false, 0, 0);
    });
    this.buffers.push(this.upload(gl.ELEMENT_ARRAY_BUFFER, indices));
    gl.bindVertexArray(null);
    return array;
  }

  private upload(kind: number, values: AllowSharedBufferSource): WebGLBuffer {
    const buffer = this.gl.createBuffer()!;
    this.gl.bindBuffer(kind, buffer);
    this.gl.bufferData(kind, values, this.gl.STATIC_DRAW);
    return buffer;
  }

  /** A colour for each vertex, or none. */
  setTints(tints: Uint8Array<ArrayBuffer> | null): void {
    const gl = this.gl;
    gl.bindVertexArray(this.array);
    this.tinted = tints !== null;
    if (tints) {
      this.buffers.push(this.upload(gl.ARRAY_BUFFER, tints));
      gl.enableVertexAttribArray(2);
      gl.vertexAttribPointer(2, 3, gl.UNSIGNED_BYTE, true, 0, 0);
    } else gl.disableVertexAttribArray(2);
    gl.bindVertexArray(null);
  }

  paint(programs: Programs): void {
    const { gl, look } = this;
    const at = (name: string): WebGLUniformLocation | null => programs.at(programs.mesh, name);
    gl.uniform3f(at("origin"), ...look.origin);
    gl.uniform1f(at("voxel"), look.voxel_A);
    gl.uniform4f(at("ink"), ...look.colour, look.opacity);
    gl.uniform1f(at("tinted"), this.tinted ? 1 : 0);
    gl.uniform4fv(at("cut"), look.clip ?? [0, 0, 0, -1]);
    if (look.mesh && !this.lines) {
      const edges = edgesOf(this.triangles.indices);
      this.lines = [this.arrayOf(edges), edges.length];
    }
    const [array, kind, count] = look.mesh ? [this.lines![0], gl.LINES, this.lines![1]] as const : [this.array, gl.TRIANGLES, this.triangles.indices.length] as const;
    gl.bindVertexArray(array);
    if (look.opacity < 1) {
      // depth first, then colour: only the nearest layer of a transparent surface is blended
      gl.colorMask(false, false, false, false);
      gl.drawElements(kind, count, gl.UNSIGNED_INT, 0);
      gl.colorMask(true, true, true, true);
      gl.enable(gl.BLEND);
      gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
    }
    gl.drawElements(kind, count, gl.UNSIGNED_INT, 0);
    gl.disable(gl.BLEND);
    gl.bindVertexArray(null);
  }

  destroy(): void {
    for (const buffer of this.buffers) this.gl.deleteBuffer(buffer);
    this.gl.deleteVertexArray(this.array);
    if (this.lines) this.gl.deleteVertexArray(this.lines[0]);
  }
}

/** Balls, drawn as discs that are shaded and have the depth of a ball. */
export class Balls {
  private array: WebGLVertexArrayObject;
  private buffers: WebGLBuffer[];

  constructor(private gl: WebGL2RenderingContext, readonly marks: Marks, public opacity: number) {
    this.array = gl.createVertexArray()!;
    gl.bindVertexArray(this.array);
    this.buffers = [marks.places, marks.colours].map((values) => {
      const buffer = gl.createBuffer()!;
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
      const [place, size, kind] = values === marks.places ? [0, 4, gl.FLOAT] as const : [2, 3, gl.UNSIGNED_BYTE] as const;
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, size, kind, kind !== gl.FLOAT, 0, 0);
      return buffer;
    });
    gl.bindVertexArray(null);
  }

  paint(programs: Programs): void {
    this.gl.uniform1f(programs.at(programs.points, "opacity"), this.opacity);
    this.gl.bindVertexArray(this.array);
    this.gl.enable(this.gl.BLEND);
    this.gl.blendFunc(this.gl.SRC_ALPHA, this.gl.ONE_MINUS_SRC_ALPHA);
    this.gl.drawArrays(this.gl.POINTS, 0, this.marks.places.length / 4);
    this.gl.disable(this.gl.BLEND);
    this.gl.bindVertexArray(null);
  }

  destroy(): void {
    for (const buffer of this.buffers) this.gl.deleteBuffer(buffer);
    this.gl.deleteVertexArray(this.array);
  }
}

/** The sides of the quads that the contouring makes of two triangles each; of other triangles, all sides. */
export function edgesOf(indices: Uint32Array): Uint32Array<ArrayBuffer> {
  const quads = indices.length % 6 === 0 && Array.from({ length: indices.length / 6 }, (_, quad) => 6 * quad).every((at) => indices[at] === indices[at + 3] && indices[at + 2] === indices[at + 4]);
  const lines = new Uint32Array(quads ? (indices.length / 6) * 8 : indices.length * 2);
  for (let face = 0, at = 0; face < indices.length; face += quads ? 6 : 3) {
    const corners = quads ? [indices[face], indices[face + 1], indices[face + 2], indices[face + 5]] : [indices[face], indices[face + 1], indices[face + 2]];
    corners.forEach((corner, place) => { lines[at++] = corner; lines[at++] = corners[(place + 1) % corners.length]; });
  }
  return lines;
}

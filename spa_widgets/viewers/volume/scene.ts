/** Meshes and points drawn with WebGL 2: orthographic, right-handed (x right, y up, z to the viewer), lit from the viewer's shoulder. */
import type { Vector } from "./geometry.ts";
import { Balls, Programs, Surface, type Look, type Marks, type Triangles } from "./meshes.ts";
import { Stage } from "./stage.ts";

export class Scene extends Stage {
  private gl: WebGL2RenderingContext;
  private programs: Programs;
  private surfaces = new Map<string, Surface>();
  private balls = new Map<string, Balls & { visible?: boolean }>();
  private tints = new Map<string, Uint8Array<ArrayBuffer> | null>();

  constructor(label: string, moved: () => void) {
    super(label, moved);
    const gl = this.canvas.getContext("webgl2", { antialias: true, alpha: false, preserveDrawingBuffer: true });
    if (!gl) throw new Error("this browser offers no WebGL 2; switch hardware or software rendering on");
    this.gl = gl;
    this.programs = new Programs(gl);
    this.canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    this.canvas.addEventListener("webglcontextrestored", () => this.restore());
  }

  private restore(): void {
    this.programs = new Programs(this.gl);
    for (const [id, { triangles, look }] of [...this.surfaces]) this.surfaces.set(id, new Surface(this.gl, triangles, look, this.tints.get(id) ?? null));
    for (const [id, { marks, opacity, visible }] of [...this.balls]) this.balls.set(id, Object.assign(new Balls(this.gl, marks, opacity), { visible }));
    this.draw();
  }

  setMesh(id: string, triangles: Triangles, look: Look, tints: Uint8Array<ArrayBuffer> | null = null): void {
    this.surfaces.get(id)?.destroy();
    this.tints.set(id, tints);
    this.surfaces.set(id, new Surface(this.gl, triangles, look, tints));
    this.draw();
  }

  meshOf(id: string): Triangles | undefined {
    return this.surfaces.get(id)?.triangles;
  }

  setLook(id: string, look: Partial<Look>): void {
    const surface = this.surfaces.get(id);
    if (surface) surface.look = { ...surface.look, ...look };
    this.draw();
  }

  setTints(id: string, tints: Uint8Array<ArrayBuffer> | null): void {
    this.tints.set(id, tints);
    this.surfaces.get(id)?.setTints(tints);
    this.draw();
  }

  setPoints(id: string, marks: Marks, opacity: number): void {
    this.balls.get(id)?.destroy();
    this.balls.set(id, new Balls(this.gl, marks, opacity));
    this.draw();
  }

  lookOfPoints(id: string, opacity: number, visible: boolean): void {
    const found = this.balls.get(id);
    if (found) Object.assign(found, { opacity, visible });
    this.draw();
  }

  /** Forget everything that is not in the list. */
  keep(ids: Set<string>): void {
    for (const kind of [this.surfaces, this.balls]) {
      for (const [id, each] of [...kind]) if (!ids.has(id)) { each.destroy(); kind.delete(id); }
    }
    this.draw();
  }

  get triangles(): number {
    let sum = 0;
    for (const { look, triangles } of this.surfaces.values()) if (look.visible) sum += triangles.indices.length / 3;
    return sum;
  }

  protected paint(width: number, height: number): void {
    const gl = this.gl;
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) [this.canvas.width, this.canvas.height] = [w, h];
    gl.viewport(0, 0, w, h);
    gl.clearColor(...this.ground, 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    gl.depthFunc(gl.LEQUAL);
    this.useProgram(this.programs.points, width, height);
    gl.uniform2f(this.programs.at(this.programs.points, "pixels"), this.scale() * ratio, 0.5 / this.depth());
    gl.uniform4f(this.programs.at(this.programs.points, "cut"), 0, 0, 0, -1);
    for (const balls of this.balls.values()) if (balls.visible !== false) balls.paint(this.programs);
    this.useProgram(this.programs.mesh, width, height);
    const shown = [...this.surfaces.values()].filter(({ look, triangles }) => look.visible && triangles.indices.length && look.opacity > 0);
    for (const surface of shown.sort((a, b) => b.look.opacity - a.look.opacity)) surface.paint(this.programs);
  }

  /** Half of the depth that is drawn: all there is, however far one has zoomed in. */
  private depth(): number {
    return 2 * Math.max(this.extent_A, Math.hypot(...this.middle().map((value, axis) => value - this.home[axis])));
  }

  private useProgram(program: WebGLProgram, width: number, height: number): void {
    const gl = this.gl;
    const at = (name: string): WebGLUniformLocation | null => this.programs.at(program, name);
    gl.useProgram(program);
    gl.uniformMatrix3fv(at("turn"), true, this.rotation.flat());
    gl.uniform3f(at("scale"), (2 * this.scale()) / width, (2 * this.scale()) / height, 1 / this.depth());
    gl.uniform3f(at("middle"), ...(this.middle() as Vector));
    gl.uniform1f(at("depth"), this.extent_A / 2);
    gl.uniform3f(at("ground"), ...this.ground);
  }

  override destroy(): void {
    super.destroy();
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

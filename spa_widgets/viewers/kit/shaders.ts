/** The shader program of the image canvas and how to build one. */

const view = `#version 300 es
uniform vec2 centre; uniform vec2 scale;
vec4 place(vec2 p) { return vec4((p - centre) * scale, 0.0, 1.0); }
`;

export const imageVertex = `${view}
uniform vec2 size; out vec2 uv;
void main() { uv = vec2(gl_VertexID & 1, gl_VertexID >> 1); gl_Position = place(uv * size); }`;

export const imageFragment = `#version 300 es
precision mediump float;
uniform sampler2D picture; uniform vec3 contrast; in vec2 uv; out vec4 colour;
void main() {
  float v = (texture(picture, uv).r - contrast.z - contrast.y) * contrast.x + 0.5;
  colour = vec4(vec3(clamp(v, 0.0, 1.0)), 1.0);
}`;

export function program(gl: WebGL2RenderingContext, vertex: string, fragment: string): WebGLProgram {
  const made = gl.createProgram()!;
  for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]] as const) {
    const shader = gl.createShader(kind)!;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) throw new Error(`shader: ${gl.getShaderInfoLog(shader)}`);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  return made;
}

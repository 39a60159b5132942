/** The two shader programs of the image canvas and how to build one. */

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

export const circleVertex = `${view}
layout(location = 0) in vec3 mark; uniform vec2 ring; uniform vec3 colours[4];
out vec2 at; out vec3 ink; flat out float chosen; flat out float faint; flat out float radius;
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.0 - 1.0;
  int kind = int(mark.z + 0.5);
  faint = kind == 2 ? 1.0 : 0.0;
  radius = ring.x * (1.0 - 0.45 * faint);
  at = corner * (radius + 4.0);
  ink = colours[kind]; chosen = kind == 1 ? 1.0 : 0.0;
  gl_Position = place(mark.xy + at / ring.y);
}`;

// a coloured ring with a dark rim on both sides, so that it is seen on any grey; the chosen one is thicker
export const circleFragment = `#version 300 es
precision mediump float;
in vec2 at; in vec3 ink; flat in float chosen; flat in float faint; flat in float radius; out vec4 colour;
void main() {
  float d = abs(length(at) - radius), half_width = 0.9 + 0.8 * chosen - 0.5 * faint;
  float line = 1.0 - smoothstep(half_width, half_width + 0.9, d);
  float rim = (1.0 - smoothstep(half_width + 0.6, half_width + 1.9, d)) * 0.55;
  float alpha = max(line, rim) * (1.0 - 0.25 * faint);
  if (alpha < 0.02) discard;
  colour = vec4(mix(vec3(0.0), ink, line), alpha);
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

/** Vectors and rotations of the view. */
export type Vector = [number, number, number];
/** Rows: the screen's x, y and the direction to the viewer, in the world's axes x, y, z. */
export type Rotation = [Vector, Vector, Vector];

export const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const cross = (a: Vector, b: Vector): Vector => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
export const unit = (a: Vector): Vector => { const length = Math.hypot(...a) || 1; return [a[0] / length, a[1] / length, a[2] / length]; };
export const rgb = (colour: string): Vector => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255) as Vector;

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

/** Turn about the screen's x and y axes by angles in radians. */
export function turned(rotation: Rotation, aboutX: number, aboutY: number): Rotation {
  const [cx, sx, cy, sy] = [Math.cos(aboutX), Math.sin(aboutX), Math.cos(aboutY), Math.sin(aboutY)];
  const step: Rotation = [[cy, 0, sy], [sx * sy, cx, -sx * cy], [-cx * sy, sx, cx * cy]];
  return orthonormal(multiply(step, rotation));
}

/** Look along a direction with another one up. */
export function looking(view: Vector, up: Vector): Rotation {
  const towards: Vector = [-view[0], -view[1], -view[2]];
  return orthonormal([cross(up, towards), up, towards]);
}

/** Unit normals of triangles' corners: the mean of the faces around each, by area. */
export function normalsOf(positions: Float32Array, indices: Uint32Array): Float32Array<ArrayBuffer> {
  const normals = new Float32Array(positions.length);
  const at = (corner: number): Vector => [positions[3 * corner], positions[3 * corner + 1], positions[3 * corner + 2]];
  const minus = (a: Vector, b: Vector): Vector => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
  for (let face = 0; face < indices.length; face += 3) {
    const [a, b, c] = [at(indices[face]), at(indices[face + 1]), at(indices[face + 2])];
    const normal = cross(minus(b, a), minus(c, a));
    for (let corner = 0; corner < 3; corner++) for (let axis = 0; axis < 3; axis++) normals[3 * indices[face + corner] + axis] += normal[axis];
  }
  for (let corner = 0; corner < normals.length; corner += 3) normals.set(unit([normals[corner], normals[corner + 1], normals[corner + 2]]), corner);
  return normals;
}

/** Isosurfaces of an 8-bit volume by surface nets: one vertex in each cell that the surface crosses (Gibson, 1998). */

export interface Mesh { positions: Float32Array<ArrayBuffer>; normals: Float32Array<ArrayBuffer>; indices: Uint32Array<ArrayBuffer>; took_ms?: number }
export type Shape = readonly [nx: number, ny: number, nz: number];

/** A typed array that grows. */
class Growing<T extends Float32Array | Uint32Array> {
  length = 0;
  constructor(public data: T, private make: (size: number) => T) {}
  room(more: number): void {
    if (this.length + more <= this.data.length) return;
    const next = this.make(2 * this.data.length + more);
    next.set(this.data as any);
    this.data = next;
  }
  done(): T {
    return this.data.slice(0, this.length) as T;
  }
}

/**
 * Contour a volume.
 * @param data levels 0…255, x fastest
 * @param level contour in the same units, not necessarily whole
 * @param step take every step-th voxel
 * @returns positions in voxels (x, y, z), unit normals that point to lower values, and triangles
 */
export function surfaceNets(data: Uint8Array, shape: Shape, level: number, step = 1): Mesh {
  const [nx, ny, nz] = shape;
  const [cx, cy, cz] = [Math.floor((nx - 1) / step), Math.floor((ny - 1) / step), Math.floor((nz - 1) / step)];
  const positions = new Growing(new Float32Array(1 << 16), (size) => new Float32Array(size));
  const indices = new Growing(new Uint32Array(1 << 17), (size) => new Uint32Array(size));
  const slab = (cx + 1) * (cy + 1);
  const vertexOf = new Int32Array(2 * slab).fill(-1);
  const [sx, sy, sz] = [step, step * nx, step * nx * ny];
  const corner = new Float64Array(8);
  for (let z = 0; z < cz; z++) {
    const here = (z & 1) * slab;
    const below = slab - here;
    for (let y = 0; y < cy; y++) {
      let offset = z * sz + y * sy;
      let face = faceAt(data, offset, sy, sz, level);
      for (let x = 0; x < cx; x++, offset += sx) {
        // a cell's first face is the second one of the cell before it
        const next = faceAt(data, offset + sx, sy, sz, level);
        const mask = SPREAD[face] | (SPREAD[next] << 1);
        face = next;
        const cell = here + y * (cx + 1) + x;
        vertexOf[cell] = -1;
        if (mask === 0 || mask === 255) continue;
        for (let index = 0; index < 8; index++) corner[index] = data[offset + (index & 1 ? sx : 0) + (index & 2 ? sy : 0) + (index & 4 ? sz : 0)] - level;
        vertexOf[cell] = positions.length / 3;
        addVertex(positions, corner, mask, x, y, z, step);
        addFaces(indices, vertexOf, mask, x, y, z, cell, cx + 1, below - here);
      }
    }
  }
  const found = positions.done() as Float32Array<ArrayBuffer>;
  return { positions: found, normals: gradients(data, shape, found), indices: indices.done() as Uint32Array<ArrayBuffer> };
}

/** Bits 0…3 of a face of four corners, put to every other bit of a cell of eight. */
const SPREAD = Uint8Array.from({ length: 16 }, (_, face) => [0, 1, 2, 3].reduce((mask, bit) => mask | (((face >> bit) & 1) << (2 * bit)), 0));

/** Which of the four corners of a face across x lie inside. */
function faceAt(data: Uint8Array, offset: number, sy: number, sz: number, level: number): number {
  return (data[offset] > level ? 1 : 0) | (data[offset + sy] > level ? 2 : 0) | (data[offset + sz] > level ? 4 : 0) | (data[offset + sy + sz] > level ? 8 : 0);
}

/** The mean of the points where the surface crosses the cell's edges. */
function addVertex(positions: Growing<Float32Array>, corner: Float64Array, mask: number, x: number, y: number, z: number, step: number): void {
  let [px, py, pz, crossings] = [0, 0, 0, 0];
  for (let axis = 1; axis <= 4; axis <<= 1) {
    for (let from = 0; from < 8; from++) {
      if (from & axis) continue;
      const to = from | axis;
      if (((mask >> from) & 1) === ((mask >> to) & 1)) continue;
      const part = corner[from] / (corner[from] - corner[to]);
      px += (from & 1) + (axis === 1 ? part : 0);
      py += ((from >> 1) & 1) + (axis === 2 ? part : 0);
      pz += ((from >> 2) & 1) + (axis === 4 ? part : 0);
      crossings++;
    }
  }
  positions.room(3);
  positions.data[positions.length++] = (x + px / crossings) * step;
  positions.data[positions.length++] = (y + py / crossings) * step;
  positions.data[positions.length++] = (z + pz / crossings) * step;
}

/** Two triangles for each of the three edges at the cell's first corner that the surface crosses. */
function addFaces(indices: Growing<Uint32Array>, vertexOf: Int32Array, mask: number, x: number, y: number, z: number, cell: number, row: number, dz: number): void {
  const inside = mask & 1;
  const neighbours: [number, number, number, boolean][] = [[2, -row, dz, y > 0 && z > 0], [4, dz, -1, z > 0 && x > 0], [16, -1, -row, x > 0 && y > 0]];
  for (const [other, u, v, possible] of neighbours) {
    if (!possible || ((mask & other) !== 0) === (inside !== 0)) continue;
    const [a, b, c, d] = [vertexOf[cell], vertexOf[cell + u], vertexOf[cell + u + v], vertexOf[cell + v]];
    indices.room(6);
    const [second, last] = inside ? [b, d] : [d, b];
    indices.data.set([a, second, c, a, c, last], indices.length);
    indices.length += 6;
  }
}

/** Unit vectors down the gradient of the volume at the vertices: smooth shading whatever the triangles. */
function gradients(data: Uint8Array, [nx, ny, nz]: Shape, positions: Float32Array): Float32Array<ArrayBuffer> {
  const normals = new Float32Array(positions.length);
  const at = (x: number, y: number, z: number): number => {
    const [ix, iy, iz] = [Math.min(Math.max(x, 0), nx - 1.001), Math.min(Math.max(y, 0), ny - 1.001), Math.min(Math.max(z, 0), nz - 1.001)];
    const [fx, fy, fz] = [Math.floor(ix), Math.floor(iy), Math.floor(iz)];
    const [dx, dy, dz] = [ix - fx, iy - fy, iz - fz];
    const base = (fz * ny + fy) * nx + fx;
    const line = (offset: number): number => data[offset] * (1 - dx) + data[offset + 1] * dx;
    const plane = (offset: number): number => line(offset) * (1 - dy) + line(offset + nx) * dy;
    return plane(base) * (1 - dz) + plane(base + nx * ny) * dz;
  };
  for (let index = 0; index < positions.length; index += 3) {
    const [x, y, z] = [positions[index], positions[index + 1], positions[index + 2]];
    const [gx, gy, gz] = [at(x - 1, y, z) - at(x + 1, y, z), at(x, y - 1, z) - at(x, y + 1, z), at(x, y, z - 1) - at(x, y, z + 1)];
    const length = Math.hypot(gx, gy, gz) || 1;
    normals[index] = gx / length;
    normals[index + 1] = gy / length;
    normals[index + 2] = gz / length;
  }
  return normals;
}

// Scores of candidate poses on a GPU: the twin of engine/kernels/poses.py.
// A block holds one group (an image), WARPS of its orientations and SHIFTS of its shifts. The shifted image's tile lies
// in shared memory and is used by all orientations of the block; a thread reads a slice's sample once and uses it for
// all shifts, whose sums stay in registers. What bounds it: the eight scattered reads of a sample.
#include "half_cube.cuh"

#define LANES 32
#define WARPS 4
#define SHIFTS 16
#define TILE 64

extern "C" __global__ void __launch_bounds__(LANES *WARPS) score_poses(
    const float2 *__restrict__ data, int side, int width, float padding, const float2 *__restrict__ images,
    const float *__restrict__ ctf2, const int *__restrict__ owner, const float *__restrict__ rotations,
    const float2 *__restrict__ shifts_px, const short *__restrict__ kx, const short *__restrict__ ky, int length,
    int orientations, int shifts, float box_px, float *__restrict__ cross, float *__restrict__ norm)
{
    __shared__ float2 shifted[SHIFTS][TILE];
    __shared__ float partial[WARPS][LANES];
    const int lane = threadIdx.x, warp = threadIdx.y, thread = warp * LANES + lane;
    const long long group = blockIdx.x, image = (long long)owner[group] * length;
    const int first_shift = blockIdx.z * SHIFTS, used = min(SHIFTS, shifts - first_shift);
    const int orientation = blockIdx.y * WARPS + warp;
    const bool active = orientation < orientations;
    const float *rotation = rotations + 9 * (group * orientations + (active ? orientation : 0));
    float sums[SHIFTS], power = 0.0f;
    for (int s = 0; s < SHIFTS; ++s)
        sums[s] = 0.0f;
    for (int first = 0; first < length; first += TILE) {
        const int filled = min(TILE, length - first);
        for (int i = thread; i < used * TILE; i += LANES * WARPS) {
            const int s = i / TILE, j = i % TILE;
            if (j < filled) {
                const float2 t = shifts_px[group * shifts + first_shift + s], x = images[image + first + j];
                float sine, cosine;
                sincospif(-2.0f * ((float)kx[first + j] * t.x + (float)ky[first + j] * t.y) / box_px, &sine, &cosine);
                shifted[s][j] = make_float2(x.x * cosine - x.y * sine, x.x * sine + x.y * cosine);
            }
        }
        __syncthreads();
        for (int j = lane; active && j < filled; j += LANES) {
            const Place p = slice_place(rotation, padding, (float)kx[first + j], (float)ky[first + j], side / 2);
            const Sample r = read_cube(data, p, side, width);
            power += ctf2[image + first + j] * (r.re * r.re + r.im * r.im);
            for (int s = 0; s < SHIFTS; ++s)
                if (s < used)
                    sums[s] += r.re * shifted[s][j].x + r.im * shifted[s][j].y;
        }
        __syncthreads();
    }
    // The lanes' sums are added by the first lane in a fixed order; the norm comes last.
    for (int s = 0; s <= used; ++s) {
        float mine = power;
        for (int t = 0; t < SHIFTS; ++t)
            if (t == s && s < used)
                mine = sums[t];
        partial[warp][lane] = mine;
        __syncthreads();
        if (lane == 0 && active) {
            float total = 0.0f;
            for (int l = 0; l < LANES; ++l)
                total += partial[warp][l];
            if (s < used)
                cross[(group * orientations + orientation) * shifts + first_shift + s] = total;
            else if (blockIdx.z == 0)
                norm[group * orientations + orientation] = total;
        }
        __syncthreads();
    }
}

// Central slices of a Fourier volume on a GPU: the twins of engine/kernels/slices.py.
// One thread a sample. What bounds them: the eight scattered reads (or atomic additions) of a sample; neighbouring
// threads are neighbouring frequencies, so their voxels share cache lines.
#include "half_cube.cuh"

extern "C" __global__ void extract_slices(
    const float2 *__restrict__ data, int side, int width, float padding, const float *__restrict__ rotations,
    const short *__restrict__ kx, const short *__restrict__ ky, int length, int count, float2 *__restrict__ out)
{
    const int j = blockIdx.x * blockDim.x + threadIdx.x;
    if (j >= length)
        return;
    const float u = (float)kx[j], v = (float)ky[j];
    for (int m = blockIdx.y; m < count; m += gridDim.y) {
        const Place p = slice_place(rotations + 9 * (long long)m, padding, u, v, side / 2);
        const Sample s = read_cube(data, p, side, width);
        out[(long long)m * length + j] = make_float2(s.re, s.im);
    }
}

// The order in which the additions of several threads to one voxel take place differs from run to run, so the last
// bits of the sums do too.
extern "C" __global__ void insert_slices(
    const float2 *__restrict__ values, const float *__restrict__ weights, const float *__restrict__ rotations,
    const short *__restrict__ kx, const short *__restrict__ ky, int length, int count, float padding, int side,
    int width, float2 *numerator, float *denominator)
{
    const int j = blockIdx.x * blockDim.x + threadIdx.x;
    if (j >= length)
        return;
    const float u = (float)kx[j], v = (float)ky[j];
    for (int m = blockIdx.y; m < count; m += gridDim.y) {
        const Place p = slice_place(rotations + 9 * (long long)m, padding, u, v, side / 2);
        const float2 value = values[(long long)m * length + j];
        const float im = p.sign * value.y, share = weights[(long long)m * length + j];
        for (int dz = 0; dz < 2; ++dz)
            for (int dy = 0; dy < 2; ++dy) {
                const long long i = voxel(p, dz, dy, side, width);
                const float weight = corner(p, dz, dy);
                for (int dx = 0; dx < 2; ++dx) {
                    const float w = weight * (dx ? p.fx : 1.0f - p.fx);
                    atomicAdd(&numerator[i + dx].x, w * value.x);
                    atomicAdd(&numerator[i + dx].y, w * im);
                    atomicAdd(&denominator[i + dx], w * share);
                }
            }
    }
}

// One thread a voxel of the result; outside the radius the result is left as it is (zero).
extern "C" __global__ void symmetrise(
    const float2 *__restrict__ numerator, const float *__restrict__ denominator, const float *__restrict__ operators,
    int order, float radius, int side, int width, float2 *__restrict__ out_numerator,
    float *__restrict__ out_denominator)
{
    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= (long long)side * side * width)
        return;
    const int centre = side / 2;
    const float qx = (float)(i % width), qy = (float)((int)(i / width % side) - centre);
    const float qz = (float)((int)(i / width / side) - centre);
    if (qx * qx + qy * qy + qz * qz > radius * radius)
        return;
    float re = 0.0f, im = 0.0f, total = 0.0f;
    for (int s = 0; s < order; ++s) {
        const float *o = operators + 9 * s;
        const Place p = place(
            o[0] * qx + o[1] * qy + o[2] * qz, o[3] * qx + o[4] * qy + o[5] * qz, o[6] * qx + o[7] * qy + o[8] * qz,
            centre);
        if (p.fx == 0.0f && p.fy == 0.0f && p.fz == 0.0f) {  // the operator maps the grid onto itself
            const long long at = voxel(p, 0, 0, side, width);
            re += numerator[at].x;
            im += p.sign * numerator[at].y;
            total += denominator[at];
            continue;
        }
        const Sample sample = read_cube(numerator, p, side, width);
        re += sample.re;
        im += sample.im;
        for (int dz = 0; dz < 2; ++dz)
            for (int dy = 0; dy < 2; ++dy) {
                const float *row = denominator + voxel(p, dz, dy, side, width);
                total += corner(p, dz, dy) * ((1.0f - p.fx) * row[0] + p.fx * row[1]);
            }
    }
    out_numerator[i] = make_float2(re, im);
    out_denominator[i] = total;
}

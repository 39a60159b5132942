// Reading and addressing a half cube: data[z + centre, y + centre, x] with x >= 0, the frequency origin at
// [centre, centre, 0] and the other half its Friedel mate (the CPU version is engine/kernels/slices.py).
#pragma once

struct Sample {
    float re, im;
};

// Where a point of a slice falls: lower corner, fractions, and -1 where its Friedel mate was taken instead.
struct Place {
    int x, y, z;
    float fx, fy, fz, sign;
};

static __device__ __forceinline__ Place place(float px, float py, float pz, int centre)
{
    Place p;
    p.sign = px < 0.0f ? -1.0f : 1.0f;
    px *= p.sign;
    py = p.sign * py + (float)centre;
    pz = p.sign * pz + (float)centre;
    p.x = (int)px;
    p.y = (int)py;
    p.z = (int)pz;
    p.fx = px - (float)p.x;
    p.fy = py - (float)p.y;
    p.fz = pz - (float)p.z;
    return p;
}

// The point of image frequency (u, v) under a projection matrix, whose first two rows are the slice's axes.
static __device__ __forceinline__ Place slice_place(
    const float *__restrict__ rotation, float padding, float u, float v, int centre)
{
    return place(
        padding * (u * rotation[0] + v * rotation[3]),
        padding * (u * rotation[1] + v * rotation[4]),
        padding * (u * rotation[2] + v * rotation[5]), centre);
}

static __device__ __forceinline__ long long voxel(const Place &p, int dz, int dy, int side, int width)
{
    return ((long long)(p.z + dz) * side + p.y + dy) * width + p.x;
}

static __device__ __forceinline__ float corner(const Place &p, int dz, int dy)
{
    return (dz ? p.fz : 1.0f - p.fz) * (dy ? p.fy : 1.0f - p.fy);
}

// Trilinear interpolation; conjugated where the mate was taken.
static __device__ __forceinline__ Sample read_cube(const float2 *__restrict__ data, const Place &p, int side, int width)
{
    Sample s = {0.0f, 0.0f};
    for (int dz = 0; dz < 2; ++dz)
        for (int dy = 0; dy < 2; ++dy) {
            const float2 *row = data + voxel(p, dz, dy, side, width);
            const float weight = corner(p, dz, dy);
            const float2 a = row[0], b = row[1];
            s.re += weight * ((1.0f - p.fx) * a.x + p.fx * b.x);
            s.im += weight * ((1.0f - p.fx) * a.y + p.fx * b.y);
        }
    s.im *= p.sign;
    return s;
}

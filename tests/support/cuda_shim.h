// Just enough of CUDA to run a kernel on the CPU: blocks one after another, the threads of a block as fibres that take
// turns at __syncthreads(). Fibres live as long as a launch and change places by _setjmp and _longjmp, which ask nothing of
// the system. Everything runs in one system thread, so the order of atomic additions is fixed and shared
// memory may be static.
#pragma once
#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <vector>

#define __global__
#define __device__
#define __forceinline__ inline
#define __shared__ static
#define __launch_bounds__(...)

using std::max;
using std::min;

struct float2 {
    float x, y;
};
static inline float2 make_float2(float x, float y) { return {x, y}; }

struct dim3 {
    unsigned x, y, z;
};
static dim3 gridDim, blockDim, blockIdx, threadIdx;

static inline float atomicAdd(float *address, float value)
{
    const float before = *address;
    *address += value;
    return before;
}

static inline void sincospif(float x, float *sine, float *cosine)
{
    *sine = (float)std::sin(M_PI * (double)x);
    *cosine = (float)std::cos(M_PI * (double)x);
}

namespace shim {
struct Fibre {
    ucontext_t context;
    jmp_buf place;
    dim3 index;
    std::vector<char> stack;
    bool born = false, done = false;
};
static ucontext_t begin;
static jmp_buf scheduler;
static Fibre *running = nullptr;
static std::function<void()> body;

static void give_way()
{
    if (_setjmp(running->place) == 0)
        _longjmp(scheduler, 1);
    threadIdx = running->index;
}

static void enter()
{
    for (;;) {  // one round for each block
        body();
        running->done = true;
        give_way();
    }
}

static void resume(Fibre &fibre)
{
    running = &fibre;
    threadIdx = fibre.index;
    if (_setjmp(scheduler) != 0)
        return;
    if (fibre.born)
        _longjmp(fibre.place, 1);
    fibre.born = true;
    getcontext(&fibre.context);
    fibre.context.uc_stack.ss_sp = fibre.stack.data();
    fibre.context.uc_stack.ss_size = fibre.stack.size();
    fibre.context.uc_link = nullptr;
    makecontext(&fibre.context, enter, 0);
    swapcontext(&begin, &fibre.context);
}

static void run_block(std::vector<Fibre> &fibres)
{
    for (auto &fibre : fibres)
        fibre.done = false;
    size_t finished = 0;
    while (finished < fibres.size()) {  // every round takes each living thread to its next barrier
        const size_t before = finished;
        size_t waiting = 0;
        for (auto &fibre : fibres) {
            if (fibre.done)
                continue;
            resume(fibre);
            if (fibre.done)
                ++finished;
            else
                ++waiting;
        }
        // A barrier that some threads of a block never reach hangs a GPU; here it ends the program.
        if (waiting && finished > before)
            std::abort();
    }
}

static void launch(dim3 grid, dim3 block, std::function<void()> kernel)
{
    gridDim = grid;
    blockDim = block;
    body = kernel;
    std::vector<Fibre> fibres(block.x * block.y * block.z);
    size_t i = 0;
    for (unsigned z = 0; z < block.z; ++z)
        for (unsigned y = 0; y < block.y; ++y)
            for (unsigned x = 0; x < block.x; ++x, ++i) {
                fibres[i].index = {x, y, z};
                fibres[i].stack.resize(64 * 1024);
            }
    for (blockIdx.z = 0; blockIdx.z < grid.z; ++blockIdx.z)
        for (blockIdx.y = 0; blockIdx.y < grid.y; ++blockIdx.y)
            for (blockIdx.x = 0; blockIdx.x < grid.x; ++blockIdx.x)
                run_block(fibres);
}
}  // namespace shim

static inline void __syncthreads()
{
    shim::give_way();
}

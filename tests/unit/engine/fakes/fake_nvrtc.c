/* A compiler that fake_cuda.c believes: it takes the kernel's source for the fake device. */
#include <stdlib.h>
#include <string.h>

static const char image[] = "machine code";

struct program {
    int compiled;
};

int nvrtcVersion(int *major, int *minor);
int nvrtcCreateProgram(struct program **program, const char *source, const char *name, int headers,
                       const char *const *header_sources, const char *const *header_names);
int nvrtcDestroyProgram(struct program **program);
int nvrtcCompileProgram(struct program *program, int count, const char *const *options);
int nvrtcGetProgramLogSize(struct program *program, size_t *size);
int nvrtcGetProgramLog(struct program *program, char *text);
int nvrtcGetCUBINSize(struct program *program, size_t *size);
int nvrtcGetCUBIN(struct program *program, char *to);

int nvrtcVersion(int *major, int *minor)
{
    *major = 12;
    *minor = 4;
    return 0;
}

int nvrtcCreateProgram(struct program **program, const char *source, const char *name, int headers,
                       const char *const *header_sources, const char *const *header_names)
{
    (void)name;
    (void)header_sources;
    (void)header_names;
    if (headers != 0 || strstr(source, "__global__ void search") == NULL)
        return 1;
    *program = calloc(1, sizeof **program);
    return *program == NULL;
}

int nvrtcDestroyProgram(struct program **program)
{
    free(*program);
    *program = NULL;
    return 0;
}

int nvrtcCompileProgram(struct program *program, int count, const char *const *options)
{
    const char *wrong = getenv("FAKE_NVRTC");
    for (int i = 0; i < count; i++)
        program->compiled |= strcmp(options[i], "--gpu-architecture=sm_90") == 0;
    return wrong != NULL || !program->compiled;
}

int nvrtcGetProgramLogSize(struct program *program, size_t *size)
{
    (void)program;
    *size = sizeof "line 7: no semicolon";
    return 0;
}

int nvrtcGetProgramLog(struct program *program, char *text)
{
    (void)program;
    memcpy(text, "line 7: no semicolon", sizeof "line 7: no semicolon");
    return 0;
}

int nvrtcGetCUBINSize(struct program *program, size_t *size)
{
    *size = program->compiled ? sizeof image : 0;
    return 0;
}

int nvrtcGetCUBIN(struct program *program, char *to)
{
    if (!program->compiled)
        return 1;
    memcpy(to, image, sizeof image);
    return 0;
}

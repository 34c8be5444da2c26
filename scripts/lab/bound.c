/* The work of an evacuation without any network: walk, read, cut, hash, deduplicate, compress. Written from the
 * published algorithms, with nothing of evac's, so that evac can be measured against it.
 *
 * usage: bound [-j THREADS] [-o FRAMES] FOLDER     prints "name value" lines
 *        bound -d FRAMES                           decodes and hashes what -o has written
 *
 * Cutting: FastCDC (Xia et al., 2020), normalisation level 1, 64/256/1024 KiB; a file up to 64 KiB is one chunk.
 * The gear table is the usual one: value i is the first 8 bytes, big endian, of the MD5 of 64 bytes i.
 * Chunks are known by their SHA-256. Unique ones are compressed together, zstd level 3, in frames of 1 MiB. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

enum { KIB = 1024, MINIMUM = 64 * KIB, AVERAGE = 256 * KIB, MAXIMUM = 1024 * KIB, FRAME = 1024 * KIB };
enum { WINDOW = 8 * MAXIMUM, BATCH = 32, LEVEL = 3 };
/* The masks of 2^19 and 2^17: a level of normalisation above and below the average of 2^18. */
static const uint64_t MASK_STRICT = 0x0000d91707537000, MASK_RELAXED = 0x0000d90703537000;

static uint64_t gear[256];

static void fail(const char *what, const char *which) {
    fprintf(stderr, "bound: %s: ", which);
    perror(what);
    exit(1);
}

static void fill_gear(void) {
    for (int value = 0; value < 256; value++) {
        unsigned char seed[64], digest[EVP_MAX_MD_SIZE];
        memset(seed, value, sizeof seed);
        if (!EVP_Digest(seed, sizeof seed, digest, NULL, EVP_md5(), NULL)) fail("MD5", "gear table");
        for (int byte = 0; byte < 8; byte++) gear[value] = gear[value] << 8 | digest[byte];
    }
}

/* Length of the first chunk. `length` goes up to the end of the file, or is MAXIMUM at least. */
static size_t cut(const unsigned char *data, size_t length) {
    if (length <= MINIMUM) return length;
    if (length > MAXIMUM) length = MAXIMUM;
    size_t tested = length & ~(size_t)1; /* bytes are looked at in pairs: an odd last one never cuts */
    size_t centre = tested < AVERAGE ? tested : AVERAGE, at = MINIMUM;
    uint64_t hash = 0;
    for (; at < centre; at++)
        if (!((hash = (hash << 1) + gear[data[at]]) & MASK_STRICT)) return at;
    for (; at < tested; at++)
        if (!((hash = (hash << 1) + gear[data[at]]) & MASK_RELAXED)) return at;
    return length;
}

/* The files, in the order of the tree. */
static char **files;
static size_t file_count, file_room;

static void add_file(const char *path) {
    if (file_count == file_room) {
        file_room = file_room ? 2 * file_room : 1024;
        if (!(files = realloc(files, file_room * sizeof *files))) fail("memory", path);
    }
    if (!(files[file_count++] = strdup(path))) fail("memory", path);
}

static size_t entry_count;

static void walk(const char *folder) {
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort);
    if (count < 0) fail("open", folder);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        if (strcmp(name, ".") && strcmp(name, "..")) {
            char *path;
            struct stat look;
            if (asprintf(&path, "%s/%s", folder, name) < 0) fail("memory", folder);
            if (lstat(path, &look)) fail("stat", path);
            entry_count++;
            if (S_ISDIR(look.st_mode)) walk(path);
            else if (S_ISREG(look.st_mode)) add_file(path);
            free(path);
        }
        free(entries[i]);
    }
    free(entries);
}

/* The chunks met so far, by name: open addressing, grown at half full. The first half of a name is enough. */
struct name { uint64_t high, low; };
static struct name *known;
static size_t known_count, known_room;
static pthread_mutex_t known_lock = PTHREAD_MUTEX_INITIALIZER;

static int put(struct name *table, size_t room, struct name name) {
    size_t at = name.high & (room - 1);
    for (; table[at].high || table[at].low; at = (at + 1) & (room - 1))
        if (table[at].high == name.high && table[at].low == name.low) return 0;
    table[at] = name;
    return 1;
}

static void grow(void) {
    size_t room = known_room ? 2 * known_room : 1 << 16;
    struct name *table = calloc(room, sizeof *table);
    if (!table) fail("memory", "index");
    for (size_t at = 0; at < known_room; at++)
        if (known[at].high || known[at].low) put(table, room, known[at]);
    free(known);
    known = table;
    known_room = room;
}

/* Whether a chunk is met for the first time. */
static int is_new(const unsigned char *digest) {
    struct name name;
    memcpy(&name, digest, sizeof name);
    pthread_mutex_lock(&known_lock);
    if (2 * known_count >= known_room) grow();
    int new = put(known, known_room, name);
    known_count += new;
    pthread_mutex_unlock(&known_lock);
    return new;
}

enum stage { READ, CUT, HASH, DEDUP, COMPRESS, STAGES };
static const char *const stage_names[STAGES] = {"read", "cut", "hash", "dedup", "compress"};

/* What one thread has at hand, and what it has counted. */
struct worker {
    pthread_t thread;
    unsigned char *window, *frame, *packed;
    size_t frame_length;
    ZSTD_CCtx *zstd;
    uint64_t raw, chunks, unique, unique_chunks, compressed, frames;
    double cpu_s[STAGES], since_s;
};

static FILE *frames_out;
static pthread_mutex_t frames_lock = PTHREAD_MUTEX_INITIALIZER;
static size_t next_file;

static double seconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

/* Puts the CPU time since the last call down to a stage. */
static void spent(struct worker *worker, enum stage stage) {
    double now = seconds(CLOCK_THREAD_CPUTIME_ID);
    worker->cpu_s[stage] += now - worker->since_s;
    worker->since_s = now;
}

static void close_frame(struct worker *worker) {
    if (!worker->frame_length) return;
    size_t length = ZSTD_compressCCtx(worker->zstd, worker->packed, ZSTD_compressBound(FRAME), worker->frame,
                                      worker->frame_length, LEVEL);
    if (ZSTD_isError(length)) fail(ZSTD_getErrorName(length), "zstd");
    spent(worker, COMPRESS);
    worker->compressed += length;
    worker->frames++;
    if (frames_out) {
        uint32_t lengths[2] = {length, worker->frame_length};
        pthread_mutex_lock(&frames_lock);
        if (fwrite(lengths, sizeof lengths, 1, frames_out) != 1 || fwrite(worker->packed, length, 1, frames_out) != 1)
            fail("write", "frames");
        pthread_mutex_unlock(&frames_lock);
        spent(worker, READ);
    }
    worker->frame_length = 0;
}

static void take_chunk(struct worker *worker, const unsigned char *data, size_t length) {
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256(data, length, digest);
    spent(worker, HASH);
    int new = is_new(digest);
    spent(worker, DEDUP);
    worker->chunks++;
    worker->raw += length;
    if (!new) return;
    worker->unique += length;
    worker->unique_chunks++;
    if (worker->frame_length + length > FRAME) close_frame(worker);
    memcpy(worker->frame + worker->frame_length, data, length);
    worker->frame_length += length;
    spent(worker, DEDUP);
}

static void take_file(struct worker *worker, const char *path) {
    int file = open(path, O_RDONLY | O_NOATIME | O_NOFOLLOW);
    if (file < 0) fail("open", path);
    size_t start = 0, end = 0;
    for (int more = 1; more || start < end;) {
        memmove(worker->window, worker->window + start, end - start);
        end -= start;
        start = 0;
        while (more && end < WINDOW) {
            ssize_t got = read(file, worker->window + end, WINDOW - end);
            if (got < 0) fail("read", path);
            if (got == 0) more = 0;
            end += got;
        }
        spent(worker, READ);
        while (start < end && (!more || end - start >= MAXIMUM)) {
            size_t length = cut(worker->window + start, end - start);
            spent(worker, CUT);
            take_chunk(worker, worker->window + start, length);
            start += length;
        }
    }
    close(file);
    spent(worker, READ);
}

static void *work(void *argument) {
    struct worker *worker = argument;
    worker->since_s = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (;;) {
        size_t first = __atomic_fetch_add(&next_file, BATCH, __ATOMIC_RELAXED);
        if (first >= file_count) break;
        for (size_t at = first; at < first + BATCH && at < file_count; at++) take_file(worker, files[at]);
    }
    close_frame(worker);
    return NULL;
}

static void prepare(struct worker *worker) {
    worker->window = malloc(WINDOW);
    worker->frame = malloc(FRAME);
    worker->packed = malloc(ZSTD_compressBound(FRAME));
    worker->zstd = ZSTD_createCCtx();
    if (!worker->window || !worker->frame || !worker->packed || !worker->zstd) fail("memory", "buffers");
}

static void count(const char *folder, int threads) {
    double started = seconds(CLOCK_MONOTONIC);
    fill_gear();
    walk(folder);
    double walk_cpu_s = seconds(CLOCK_PROCESS_CPUTIME_ID);
    struct worker *workers = calloc(threads, sizeof *workers), sum = {0};
    for (int i = 0; i < threads; i++) {
        prepare(&workers[i]);
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i])) fail("thread", folder);
    }
    for (int i = 0; i < threads; i++) {
        const struct worker *one = &workers[i];
        pthread_join(one->thread, NULL);
        sum.raw += one->raw, sum.chunks += one->chunks, sum.unique += one->unique;
        sum.unique_chunks += one->unique_chunks, sum.compressed += one->compressed, sum.frames += one->frames;
        for (int stage = 0; stage < STAGES; stage++) sum.cpu_s[stage] += one->cpu_s[stage];
    }
    printf("entries %zu\nfiles %zu\nraw_bytes %lu\nchunks %lu\nunique_chunks %lu\nunique_bytes %lu\n", entry_count,
           file_count, sum.raw, sum.chunks, sum.unique_chunks, sum.unique);
    printf("frames %lu\ncompressed_bytes %lu\n", sum.frames, sum.compressed);
    printf("wall_s %.3f\ncpu_s %.3f\nwalk_cpu_s %.3f\n", seconds(CLOCK_MONOTONIC) - started,
           seconds(CLOCK_PROCESS_CPUTIME_ID), walk_cpu_s);
    for (int stage = 0; stage < STAGES; stage++) printf("%s_cpu_s %.3f\n", stage_names[stage], sum.cpu_s[stage]);
}

static void decode(const char *path) {
    FILE *in = fopen(path, "r");
    unsigned char *raw = malloc(FRAME), *packed = malloc(ZSTD_compressBound(FRAME));
    unsigned char digest[SHA256_DIGEST_LENGTH];
    uint32_t lengths[2];
    uint64_t total = 0;
    if (!in || !raw || !packed) fail("open", path);
    while (fread(lengths, sizeof lengths, 1, in) == 1) {
        if (lengths[0] > ZSTD_compressBound(FRAME) || fread(packed, lengths[0], 1, in) != 1) fail("read", path);
        if (ZSTD_decompress(raw, FRAME, packed, lengths[0]) != lengths[1]) fail("zstd", path);
        SHA256(raw, lengths[1], digest);
        total += lengths[1];
    }
    printf("raw_bytes %lu\ncpu_s %.3f\n", total, seconds(CLOCK_PROCESS_CPUTIME_ID));
}

int main(int argc, char **argv) {
    int option, threads = sysconf(_SC_NPROCESSORS_ONLN);
    while ((option = getopt(argc, argv, "j:o:d:")) != -1) {
        if (option == 'j' && atoi(optarg) > 0) threads = atoi(optarg);
        else if (option == 'o' && (frames_out = fopen(optarg, "w"))) continue;
        else if (option == 'd') return decode(optarg), 0;
        else return fprintf(stderr, "usage: bound [-j THREADS] [-o FRAMES] FOLDER | bound -d FRAMES\n"), 2;
    }
    if (optind != argc - 1) return fprintf(stderr, "bound: which folder?\n"), 2;
    count(argv[optind], threads);
    if (frames_out && fclose(frames_out)) fail("write", "frames");
    return 0;
}

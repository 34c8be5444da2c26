/* A long line between two network namespaces: a TUN device in each, and this program carries packets between them,
 * held to a rate, delayed, and some of them lost. For kernels without netem.
 *
 * usage: wan NAMESPACE_A NAMESPACE_B DEVICE UP_BITS DOWN_BITS DELAY_US LOSS_PER_MILLION SEED
 *   UP_BITS, DOWN_BITS: bits a second from A to B and back, 0 is no limit. DELAY_US: one way. Losses are drawn from SEED, one draw for
 *   each packet, and each direction has its own.
 * A packet waits for the line in a queue of 50 ms at its rate (64 KiB at least); what finds it full is dropped. Ends on
 * SIGTERM or SIGINT and prints for each direction: packets, bytes, lost by chance, dropped by the full queue.
 * Its devices go with it. It stays in namespace B. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { PACKET_MAX = 65536, READS_AT_ONCE = 512, TICK_NS = 100000, QUEUE_BYTES_MIN = 65536, QUEUE_MS = 50 };
/* More than this is never under way: 1 GB, a second at 8 Gbit/s. */
static const uint64_t HELD_BYTES_MAX = 1000000000;

struct packet {
    struct packet *next;
    uint64_t due_ns;
    size_t length;
    unsigned char data[];
};

struct direction {
    int from, to;
    uint64_t rate_bits, queue_bytes;
    struct packet *first, **end;
    uint64_t free_ns; /* when the line has sent what it was given */
    uint64_t random, held_bytes;
    uint64_t packets, bytes, lost, dropped, refused;
};

static uint64_t delay_ns, loss_per_million;
static volatile sig_atomic_t stopping;

static void stop(int signal) { (void)signal, stopping = 1; }

static void fail(const char *what) {
    fprintf(stderr, "wan: ");
    perror(what);
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* splitmix64 */
static uint64_t draw(uint64_t *state) {
    uint64_t value = *state += 0x9e3779b97f4a7c15;
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
    value = (value ^ value >> 27) * 0x94d049bb133111eb;
    return value ^ value >> 31;
}

static int open_device(const char *namespace, const char *name) {
    char path[256];
    snprintf(path, sizeof path, "/run/netns/%s", namespace);
    int inside = open(path, O_RDONLY | O_CLOEXEC);
    if (inside < 0 || setns(inside, CLONE_NEWNET)) fail(path);
    close(inside);
    int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (device < 0 || ioctl(device, TUNSETIFF, &request)) fail("/dev/net/tun");
    return device;
}

/* A packet comes to the line: it is lost, finds the queue full, or is given the moment when it arrives. */
static void take(struct direction *way, const unsigned char *data, size_t length, uint64_t now) {
    if (draw(&way->random) % 1000000 < loss_per_million) { way->lost++; return; }
    uint64_t start = way->free_ns > now ? way->free_ns : now, sent = start;
    if (way->rate_bits) {
        uint64_t waiting_bytes = (start - now) * (way->rate_bits / 8) / 1000000000;
        if (waiting_bytes + length > way->queue_bytes) { way->dropped++; return; }
        sent = start + length * 8000000000ULL / way->rate_bits;
    }
    struct packet *packet = way->held_bytes < HELD_BYTES_MAX ? malloc(sizeof *packet + length) : NULL;
    if (!packet) { way->dropped++; return; }
    way->free_ns = sent;
    way->held_bytes += length;
    *packet = (struct packet){.due_ns = sent + delay_ns, .length = length};
    memcpy(packet->data, data, length);
    *way->end = packet;
    way->end = &packet->next;
}

static void take_waiting(struct direction *way) {
    static unsigned char data[PACKET_MAX];
    for (int reads = 0; reads < READS_AT_ONCE; reads++) {
        ssize_t length = read(way->from, data, sizeof data);
        if (length < 0 && errno == EAGAIN) return;
        if (length < 0) fail("read");
        take(way, data, length, now_ns());
    }
}

static void deliver_due(struct direction *way, uint64_t now) {
    while (way->first && way->first->due_ns <= now) {
        struct packet *packet = way->first;
        if (write(way->to, packet->data, packet->length) < 0) {
            way->refused++;
        } else {
            way->packets++;
            way->bytes += packet->length;
        }
        way->held_bytes -= packet->length;
        if (!(way->first = packet->next)) way->end = &way->first;
        free(packet);
    }
}

static void print(const char *name, const struct direction *way) {
    printf("wan: %s: %lu packets, %lu bytes; %lu lost by chance, %lu dropped by the full queue", name, way->packets,
           way->bytes, way->lost, way->dropped);
    if (way->refused) printf(", %lu refused by the device", way->refused);
    puts("");
}

static void carry(struct direction ways[2]) {
    while (!stopping) {
        uint64_t now = now_ns(), wake = now + 200000000;
        for (int i = 0; i < 2; i++) {
            deliver_due(&ways[i], now);
            if (ways[i].first && ways[i].first->due_ns < wake) wake = ways[i].first->due_ns;
        }
        uint64_t left = wake > now + TICK_NS ? wake - now - TICK_NS : 0;
        struct timespec wait = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
        /* Packets are looked after every tick, not each by itself: most of the work would be waking up. */
        if (ways[0].first || ways[1].first) nanosleep(&(struct timespec){.tv_nsec = TICK_NS}, NULL);
        struct pollfd waiting[2] = {{.fd = ways[0].from, .events = POLLIN}, {.fd = ways[1].from, .events = POLLIN}};
        if (ppoll(waiting, 2, &wait, NULL) < 0 && errno != EINTR) fail("ppoll");
        for (int i = 0; i < 2; i++)
            if (waiting[i].revents) take_waiting(&ways[i]);
    }
}

static void prepare(struct direction *way, int from, int to, const char *rate, uint64_t seed) {
    way->from = from;
    way->to = to;
    way->end = &way->first;
    way->random = seed;
    way->rate_bits = strtoull(rate, NULL, 10);
    way->queue_bytes = way->rate_bits / 8 * QUEUE_MS / 1000;
    if (way->queue_bytes < QUEUE_BYTES_MIN) way->queue_bytes = QUEUE_BYTES_MIN;
}

int main(int argc, char **argv) {
    if (argc != 9) return fprintf(stderr, "usage: wan A B DEVICE UP DOWN DELAY_US LOSS_PER_MILLION SEED\n"), 2;
    delay_ns = strtoull(argv[6], NULL, 10) * 1000;
    loss_per_million = strtoull(argv[7], NULL, 10);
    uint64_t seed = strtoull(argv[8], NULL, 10);

    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    int a = open_device(argv[1], argv[3]), b = open_device(argv[2], argv[3]);
    /* Moments are kept also while both cores are busy. Without the right to that they are kept less well. */
    prctl(PR_SET_TIMERSLACK, 1000);
    sched_setscheduler(0, SCHED_RR, &(struct sched_param){.sched_priority = 1});

    struct direction ways[2] = {0};
    prepare(&ways[0], a, b, argv[4], seed);
    prepare(&ways[1], b, a, argv[5], ~seed);
    carry(ways);
    print("uplink", &ways[0]);
    print("downlink", &ways[1]);
    return 0;
}

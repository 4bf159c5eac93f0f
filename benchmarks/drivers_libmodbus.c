/* Both ends of a Modbus connection by libmodbus, for benchmarks/drivers.py.
 *
 *   serve                          listens on a free port of 127.0.0.1, says which, and answers one client after the other
 *                                  until standard input ends; register i holds 7 i + 3
 *   ask PORT REQUESTS REGISTERS    reads holding registers from 0 on, one request after the other on one connection;
 *                                  says the seconds and the CPU seconds that it took
 */
#define _GNU_SOURCE
#include <modbus/modbus.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PLACES = 2000 };

static void die(const char *what) {
    perror(what);
    exit(1);
}

static double clock_s(clockid_t clock) {
    struct timespec t;
    if (clock_gettime(clock, &t)) die("no clock");
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void *end_with_input(void *unused) {
    char byte;
    while (read(0, &byte, 1) > 0);
    exit(0);
    return unused;
}

static void serve(void) {
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    pthread_t watcher;
    modbus_t *bus = modbus_new_tcp("127.0.0.1", 0);
    modbus_mapping_t *tables = modbus_mapping_new(0, 0, PLACES, 0);
    int listener = bus ? modbus_tcp_listen(bus, 1) : -1;
    if (!tables || listener < 0 || getsockname(listener, (struct sockaddr *)&address, &size)) die("cannot listen");
    for (int i = 0; i < PLACES; i++) tables->tab_registers[i] = (uint16_t)(7 * i + 3);
    if (pthread_create(&watcher, NULL, end_with_input, NULL)) die("no thread");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        uint8_t request[MODBUS_TCP_MAX_ADU_LENGTH];
        if (modbus_tcp_accept(bus, &listener) < 0) die("accept");
        for (int length; (length = modbus_receive(bus, request)) >= 0;)
            if (length > 0) modbus_reply(bus, request, length, tables);
        modbus_close(bus);
    }
}

static int ask(int port, int requests, int registers) {
    uint16_t words[MODBUS_MAX_READ_REGISTERS];
    modbus_t *bus = modbus_new_tcp("127.0.0.1", port);
    double begun_s, begun_cpu_s;
    if (!bus || modbus_connect(bus)) die("connect");
    begun_s = clock_s(CLOCK_MONOTONIC);
    begun_cpu_s = clock_s(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < requests; i++)
        if (modbus_read_registers(bus, 0, registers, words) != registers) die("read");
    printf("%.6f %.6f\n", clock_s(CLOCK_MONOTONIC) - begun_s, clock_s(CLOCK_PROCESS_CPUTIME_ID) - begun_cpu_s);
    modbus_close(bus);
    modbus_free(bus);
    return 0;
}

int main(int count, char **words) {
    if (count == 2 && !strcmp(words[1], "serve")) serve();
    if (count == 5 && !strcmp(words[1], "ask")) return ask(atoi(words[2]), atoi(words[3]), atoi(words[4]));
    return 2;
}

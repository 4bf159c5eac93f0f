/* A Modbus device made of libmodbus: the registers, replies and frames are the library's, the commands are ours.
 *
 *   libmodbus_device LIFETIME_S tcp PORT         any unit is answered; PORT 0: any that is free
 *   libmodbus_device LIFETIME_S rtu UNIT         on a pseudo-terminal of its own
 *
 * Says "up PLACE" (the port, or the path of the terminal) when it can be reached. Each line of standard input is a
 * command, answered by one line; the end of the input ends it, as does its lifetime.
 *
 *   coil|discrete|holding|input ADDRESS VALUE    one bit, or one register
 *   int32|int64 ADDRESS VALUE                    two or four holding registers, laid by the library: order ABCD
 *   float ADDRESS VALUE                          two holding registers, laid by the library: order CDAB. What the names of
 *                                                its other orders mean differs between its versions
 *   hole ADDRESS                                 requests that touch this place, in any table, get exception 02
 *   mute 0|1                                     do not answer at all
 *   functions                                    the function codes asked for so far, ascending
 *   requests                                     how many requests there have been
 *   hang_up                                      close every connection
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <modbus/modbus.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

enum { PLACES = 65536, HOLES_MAX = 64, CLIENTS_MAX = 64 };

static modbus_t *bus;
static modbus_mapping_t *tables;
static long holes[HOLES_MAX];
static int hole_count, mute, listener = -1, serial = -1, clients[CLIENTS_MAX], client_count;
static long requests;
static char asked[256];

static void die(const char *what) {
    fprintf(stderr, "%s: %s\n", what, modbus_strerror(errno));
    exit(1);
}

static void hang_up(int place) {
    close(clients[place]);
    clients[place] = clients[--client_count];
}

static void listen_tcp(int port) {
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    bus = modbus_new_tcp("127.0.0.1", port);
    if (!bus || (listener = modbus_tcp_listen(bus, 8)) < 0) die("cannot listen");
    if (getsockname(listener, (struct sockaddr *)&address, &size)) die("no port");
    printf("up %d\n", ntohs(address.sin_port));
}

/* The library speaks at one end of the terminal, a client opens the other; a handle of ours keeps it open between clients. */
static void open_terminal(int unit) {
    struct termios raw;
    const char *path;
    int kept;
    serial = posix_openpt(O_RDWR | O_NOCTTY);
    if (serial < 0 || grantpt(serial) || unlockpt(serial) || !(path = ptsname(serial))) die("no terminal");
    if ((kept = open(path, O_RDWR | O_NOCTTY)) < 0 || tcgetattr(kept, &raw)) die("no terminal");
    cfmakeraw(&raw);
    if (tcsetattr(kept, TCSANOW, &raw)) die("no raw terminal");
    bus = modbus_new_rtu(path, 115200, 'N', 8, 1);
    if (!bus || modbus_set_slave(bus, unit) || modbus_set_socket(bus, serial)) die("no bus");
    printf("up %s\n", path);
}

static int touches_a_hole(const uint8_t *request) {
    const uint8_t *body = request + modbus_get_header_length(bus);
    long start = body[1] << 8 | body[2], count = body[3] << 8 | body[4];
    for (int i = 0; i < hole_count; i++)
        if (start <= holes[i] && holes[i] < start + count) return 1;
    return 0;
}

/* Answers what came over a handle; 0 when the handle is of no use any more. */
static int serve(int handle) {
    uint8_t request[MODBUS_MAX_ADU_LENGTH];
    modbus_set_socket(bus, handle);
    int length = modbus_receive(bus, request);
    if (length < 0) return 0;
    if (length == 0) {
        modbus_receive(bus, request); /* it was for another unit: the library lets that one's reply pass, for up to 0.5 s */
        return 1;
    }
    requests++;
    asked[request[modbus_get_header_length(bus)]] = 1;
    if (mute) return 1;
    if (touches_a_hole(request)) return modbus_reply_exception(bus, request, MODBUS_EXCEPTION_ILLEGAL_DATA_ADDRESS) >= 0;
    return modbus_reply(bus, request, length, tables) >= 0;
}

static void say_functions(void) {
    for (int code = 0; code < 256; code++)
        if (asked[code]) printf("%d ", code);
    printf("\n");
}

static const char *put(const char *name, long address, const char *value) {
    uint16_t *holding = tables->tab_registers + address;
    long long whole = strtoll(value, NULL, 10);
    if (address < 0 || address > PLACES - 4) return "no such place";
    if (!strcmp(name, "coil")) tables->tab_bits[address] = whole != 0;
    else if (!strcmp(name, "discrete")) tables->tab_input_bits[address] = whole != 0;
    else if (!strcmp(name, "holding")) *holding = (uint16_t)whole;
    else if (!strcmp(name, "input")) tables->tab_input_registers[address] = (uint16_t)whole;
    else if (!strcmp(name, "float")) modbus_set_float(strtof(value, NULL), holding);
    else if (!strcmp(name, "int32")) MODBUS_SET_INT32_TO_INT16(holding, 0, whole);
    else if (!strcmp(name, "int64")) MODBUS_SET_INT64_TO_INT16(holding, 0, whole);
    else return "no such command";
    return "ok";
}

static void obey(char *line) {
    char name[32] = "", value[64] = "";
    long address = 0;
    int words = sscanf(line, "%31s %ld %63s", name, &address, value);
    if (words == 1 && !strcmp(name, "functions")) say_functions();
    else if (words == 1 && !strcmp(name, "requests")) printf("%ld\n", requests);
    else if (words == 1 && !strcmp(name, "hang_up")) {
        while (client_count) hang_up(0);
        puts("ok");
    } else if (words == 2 && !strcmp(name, "mute")) {
        mute = address != 0;
        puts("ok");
    } else if (words == 2 && !strcmp(name, "hole") && hole_count < HOLES_MAX) {
        holes[hole_count++] = address;
        puts("ok");
    } else puts(words == 3 ? put(name, address, value) : "no such command");
}

/* Reads whole lines by hand: what stdio has buffered would be hidden from select. */
static void take_commands(void) {
    static char text[4096];
    static size_t filled;
    ssize_t got = read(0, text + filled, sizeof text - 1 - filled);
    if (got <= 0) exit(0);
    text[filled += (size_t)got] = 0;
    for (char *end; (end = strchr(text, '\n'));) {
        *end = 0;
        obey(text);
        filled -= (size_t)(end + 1 - text);
        memmove(text, end + 1, filled + 1);
    }
}

static void wait_and_serve(void) {
    fd_set ready;
    int highest = serial > listener ? serial : listener;
    FD_ZERO(&ready);
    FD_SET(0, &ready);
    FD_SET(serial >= 0 ? serial : listener, &ready);
    for (int i = 0; i < client_count; i++) {
        FD_SET(clients[i], &ready);
        if (clients[i] > highest) highest = clients[i];
    }
    if (select(highest + 1, &ready, NULL, NULL, NULL) < 0) die("select");
    if (serial >= 0 && FD_ISSET(serial, &ready)) serve(serial);
    for (int i = client_count - 1; i >= 0; i--)
        if (FD_ISSET(clients[i], &ready) && !serve(clients[i])) hang_up(i);
    if (listener >= 0 && FD_ISSET(listener, &ready)) {
        int client = modbus_tcp_accept(bus, &listener);
        if (client >= 0 && client_count < CLIENTS_MAX) clients[client_count++] = client;
        else if (client >= 0) close(client);
    }
    if (FD_ISSET(0, &ready)) take_commands();
}

int main(int count, char **words) {
    if (count != 4) return 2;
    alarm((unsigned)atoi(words[1]));
    setvbuf(stdout, NULL, _IOLBF, 0);
    tables = modbus_mapping_new(PLACES, PLACES, PLACES, PLACES);
    if (!tables) die("no tables");
    if (!strcmp(words[2], "rtu")) open_terminal(atoi(words[3]));
    else listen_tcp(atoi(words[3]));
    for (;;) wait_and_serve();
}

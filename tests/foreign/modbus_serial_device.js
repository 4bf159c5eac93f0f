// A Modbus TCP device made of modbus-serial, as cheap devices are: a block is put together register by register, each when
// it is ready, so it is no picture of one moment.
//
//   node modbus_serial_device.js LIFETIME_S PORT
//
// Says "up PORT" when it listens. Each line of standard input is a JSON command, answered by one line of JSON:
//
//   ["put", UNIT, ADDRESS, VALUE]    a holding register; one that was never put holds its own address
//   ["slow", UNIT, ADDRESS, MS]      it takes this long to be ready, 0: none
//   ["clock", UNIT, ADDRESS]         it shows the milliseconds of the wall clock, modulo 65536, when it is ready
//   ["fail", UNIT, ADDRESS, CODE]    a request over this input register gets this exception, 0: none
"use strict";

const readline = require("node:readline");
const { ServerTCP } = require("modbus-serial");

const [lifetimeS, port] = process.argv.slice(2).map(Number);
const registers = new Map();
const delaysMs = new Map();
const clocks = new Set();
const failures = new Map();

const place = (unit, address) => `${unit}:${address}`;
const shown = (unit, address) => {
    const name = place(unit, address);
    return clocks.has(name) ? Date.now() % 65536 : registers.get(name) ?? address;
};

const device = {
    getHoldingRegister(address, unit, done) {
        const delayMs = delaysMs.get(place(unit, address)) ?? 0;
        if (delayMs > 0) setTimeout(() => done(null, shown(unit, address)), delayMs);
        else done(null, shown(unit, address));
    },
    getInputRegister(address, unit, done) {
        const code = failures.get(place(unit, address)) ?? 0;
        done(code ? { modbusErrorCode: code } : null, shown(unit, address));
    },
    getCoil(address, unit, done) {
        done(null, address % 2 === 1);
    },
    getDiscreteInput(address, unit, done) {
        done(null, address % 3 === 1);
    },
};

const commands = {
    put: (unit, address, value) => void registers.set(place(unit, address), value),
    slow: (unit, address, ms) => void delaysMs.set(place(unit, address), ms),
    clock: (unit, address) => void clocks.add(place(unit, address)),
    fail: (unit, address, code) => void failures.set(place(unit, address), code),
};

setTimeout(() => process.exit(1), lifetimeS * 1000).unref();
const server = new ServerTCP(device, { host: "127.0.0.1", port });
server.on("socketError", () => {}); // a client went away in the middle of an answer
server.on("serverError", (error) => { throw error; });
server.on("initialized", () => console.log(`up ${port}`));
readline.createInterface({ input: process.stdin })
    .on("line", (line) => {
        const [name, ...details] = JSON.parse(line);
        console.log(JSON.stringify(commands[name](...details) ?? null));
    })
    .on("close", () => process.exit(0));

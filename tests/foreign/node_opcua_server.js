// An OPC UA server made of node-opcua.
//
//   node node_opcua_server.js LIFETIME_S CONFIG PORT
//
// CONFIG is JSON: {"pki": FOLDER, "namespaces": [URI, ...], "nodes": [[URI, NAME, TYPE, VALUE], ...], "limits":
// {"maxNodesPerRead": 5, ...}, "items_max": 7, "policies": [NAME, ...], "user": [NAME, PASSWORD]}; the order of the
// namespaces is the order of their indexes; without policies there is None, without a user all may come;
// "refreshes": false refuses to tell all alarms again, "deaf": true lets nobody ask without security what endpoints there are. Nodes have texts for identifiers. Says "up PORT" when it listens. Each line of
// standard input is a JSON command, answered by one line of JSON:
//
//   ["add", URI, NAME, TYPE, VALUE]                    a variable
//   ["write", URI, NAME, TYPE, VALUE, STATUS, MS]      what it shows: a status by name, a source time in ms since 1970 or null
//   ["climb", URI, NAME, STEPS, MS]                    from now on, one up every MS; answers at once
//   ["climbed", NAME]                                  the steps that were taken, as [VALUE, source time in ms]
//   ["allow", {"maxSessions": 1, ...}]                 how many of what there may be from now on, of everything else as usual
//   ["drop_sessions"]                                  end those there are, as a server does that has enough
//   ["counts"]                                         sessions, subscriptions, monitored items
//   ["largest"]                                        most nodes in a read, most items in a call to monitor, so far
//   ["alarm", URI, NAME, KIND, CONDITION]              the variable has an alarm of limits 10, 20, 80, 90; KIND "Exclusive" or "NonExclusive"
//   ["enable", URI, NAME, YES]                         that alarm
//   ["services"]                                       names of all requests so far
"use strict";

console.log = console.info = console.error; // the library's; standard output is for answers
const readline = require("node:readline");
const opcua = require("node-opcua");

const [lifetimeS, configText, port] = process.argv.slice(2);
const config = JSON.parse(configText);
const variables = new Map();
const climbs = new Map();
const alarms = new Map();
const services = new Set();
const usual = {};
const largest = { read: 0, monitor: 0 };

const server = new opcua.OPCUAServer({
    host: "127.0.0.1",
    port: Number(port),
    resourcePath: "/plant",
    securityPolicies: (config.policies ?? ["None"]).map((name) => opcua.SecurityPolicy[name]),
    securityModes: config.policies
        ? [opcua.MessageSecurityMode.Sign, opcua.MessageSecurityMode.SignAndEncrypt]
        : [opcua.MessageSecurityMode.None],
    allowAnonymous: !config.user,
    userManager: { isValidUser: (...given) => JSON.stringify(given) === JSON.stringify(config.user) },
    disableDiscovery: config.deaf ?? !config.policies, // what endpoints there are is asked over a channel without security
    serverCertificateManager: new opcua.OPCUACertificateManager({ rootFolder: config.pki }),
    serverCapabilities: {
        operationLimits: config.limits ?? {},
        maxMonitoredItemsPerSubscription: config.items_max ?? 0,
    },
});

function note(request) {
    const name = request.schema.name;
    services.add(name);
    if (name === "ReadRequest") largest.read = Math.max(largest.read, request.nodesToRead.length);
    if (name === "CreateMonitoredItemsRequest") largest.monitor = Math.max(largest.monitor, request.itemsToCreate.length);
}

const sessions = () => Object.values(server.engine._sessions);
const variant = (type, value) => new opcua.Variant({ dataType: opcua.DataType[type], value });

function add(uri, name, type, value) {
    const space = server.engine.addressSpace;
    const namespace = space.getNamespace(uri);
    const variable = namespace.addVariable({
        organizedBy: space.rootFolder.objects,
        browseName: name,
        nodeId: `s=${name}`,
        dataType: type,
        minimumSamplingInterval: 10,
    });
    variables.set(`${uri} ${name}`, variable);
    write(uri, name, type, value, "Good", null);
}

function write(uri, name, type, value, status, ms) {
    const moment = ms === null ? new Date() : new Date(ms);
    variables.get(`${uri} ${name}`).setValueFromSource(variant(type, value), opcua.StatusCodes[status], moment);
}

// Each step is timed from the one before, so that a server that was held up does not take two at once.
function climb(uri, name, steps, ms) {
    const taken = [];
    climbs.set(name, taken);
    const step = () => {
        const moment = Date.now();
        taken.push([taken.length + 1, moment]);
        write(uri, name, "Double", taken.length, "Good", moment);
        if (taken.length < steps) setTimeout(step, ms);
    };
    step();
}

function alarm(uri, name, kind, condition) {
    const space = server.engine.addressSpace;
    const source = variables.get(`${uri} ${name}`);
    source.addReference({ referenceType: "HasEventSource", isForward: false, nodeId: space.rootFolder.objects.server });
    alarms.set(`${uri} ${name}`, space.getNamespace(uri)[`instantiate${kind}LimitAlarm`](`${kind}LimitAlarmType`, {
        browseName: `${name} ${kind}`,
        conditionSource: source,
        ...(condition && { conditionName: condition }),
        inputNode: source,
        highHighLimit: 90,
        highLimit: 80,
        lowLimit: 20,
        lowLowLimit: 10,
    }));
}

const commands = {
    alarm,
    enable: (uri, name, yes) => void alarms.get(`${uri} ${name}`).setEnabledState(yes),
    add,
    write,
    climb,
    climbed: (name) => climbs.get(name),
    allow: (counts) => void Object.assign(server.engine.serverCapabilities, usual, counts),
    drop_sessions: () => sessions().forEach((session) => server.engine.closeSession(session.authenticationToken, true, "Terminated")),
    counts: () => ({
        sessions: server.engine.currentSessionCount,
        subscriptions: server.engine.currentSubscriptionCount,
        items: sessions()
            .flatMap((session) => session.publishEngine?.subscriptions ?? []) // none once it is closed
            .reduce((sum, subscription) => sum + subscription.monitoredItemCount, 0),
    }),
    largest: () => largest,
    services: () => [...services].sort(),
};

async function main() {
    setTimeout(() => process.exit(1), Number(lifetimeS) * 1000).unref();
    await server.initialize();
    for (const uri of config.namespaces) server.engine.addressSpace.registerNamespace(uri);
    if (config.refreshes ?? true) server.engine.addressSpace.installAlarmsAndConditionsService();
    for (const node of config.nodes ?? []) add(...node);
    for (const name of ["maxSessions", "maxSubscriptions", "maxMonitoredItems"]) {
        usual[name] = server.engine.serverCapabilities[name];
    }
    server.on("request", note);
    await server.start();
    process.stdout.write(`up ${port}\n`);
    readline.createInterface({ input: process.stdin })
        .on("line", (line) => {
            const [name, ...details] = JSON.parse(line);
            process.stdout.write(`${JSON.stringify(commands[name](...details) ?? null)}\n`);
        })
        .on("close", () => process.exit(0));
}

main();

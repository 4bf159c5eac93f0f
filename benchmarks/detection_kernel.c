/* The safety kernel once more, in C: what benchmarks/detection.py measures the compiled Python against.
 * The layouts are those of edge_agent/detect/layout.py (natural alignment); the rules are told in kernels/conditions.py.
 * Written as one would write it in C, with the same order of arithmetic, so that every output must be the same bits.
 * Build: cc -O3 -ffp-contract=off -shared -fPIC */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

enum { HIGH, LOW, FAULT, TRANSITIONS_PER_POINT = 5, OVER_RANGE = 3, FROZEN = 4, TICK = -1 };
enum { PENDING_1 = 1, PENDING_2 = 2, PENDING_LEVELS = 15, PENDING_FAULT = 16, PENDING_FROZEN = 32, PENDING_BELOW = 64 };
enum { SEVERITY = 0xC0, UNCERTAIN = 0x40, BAD = 0x80 };
enum { OUT_OF_RANGE = 0x41, COMM_FAILURE = 0x81, SENSOR_FAILURE = 0x82, STALE = 0x83, NEVER_READ = 0x86 };

typedef struct {
    double ll, l, h, hh, deadband, range_low, range_high;
    int64_t on_delay_ns, on_delay_2_ns, off_delay_ns, stale_ns, fault_on_delay_ns, fault_off_delay_ns;
    double over_range;
    int64_t frozen_ns, range_hold_ns;
    int32_t device_row;
} params_t;

typedef struct {
    double value;
    int64_t raw, last_mono_ns, last_eval_ns, timer_ns[2][2], fault_timer_ns, frozen_timer_ns, below_timer_ns;
    uint8_t quality, level[2], fault_level, pending, over_range_level, frozen_level, inhibited;
} state_t;

typedef struct {
    int64_t mono_ns, time_ns;
    double value;
    int64_t raw;
    double setpoint;
    int64_t elapsed_ns;
    int32_t row;
    uint8_t kind, old_level, new_level, quality, inhibited;
} transition_t;

static inline bool no_answer(uint8_t quality) {
    return quality == COMM_FAILURE || quality == STALE || quality == NEVER_READ;
}

static inline void advance(int64_t mono_ns, const params_t *restrict p, state_t *restrict s) {
    int64_t elapsed_ns = mono_ns - s->last_eval_ns;
    if (elapsed_ns <= 0) return;
    s->last_eval_ns = mono_ns;
    if (!s->pending) return;
    if (s->pending & PENDING_FAULT) s->fault_timer_ns += elapsed_ns;
    uint8_t severity = s->quality & SEVERITY;
    if (severity >= BAD) return;
    if (s->pending & PENDING_FROZEN) s->frozen_timer_ns += elapsed_ns;
    int last = LOW;
    if (s->pending & PENDING_BELOW) {
        if (s->below_timer_ns < p->range_hold_ns) last = HIGH;
        s->below_timer_ns += elapsed_ns;
    }
    for (int side = HIGH; side <= last; side++)
        for (int k = 0; k < 2; k++)
            if ((s->pending >> (2 * side + k) & 1) && (severity == 0 || s->level[side] < k + 1))
                s->timer_ns[side][k] += elapsed_ns;
}

static inline void take_sample(double value, uint8_t quality, int64_t raw, int64_t mono_ns,
                               const params_t *restrict p, state_t *restrict s) {
    if ((quality & SEVERITY) < BAD) {
        if (!isfinite(value)) {
            quality = SENSOR_FAILURE;
        } else {
            if ((value < p->range_low || value > p->range_high) && (quality & SEVERITY) == 0) quality = OUT_OF_RANGE;
            s->value = value;
            s->raw = raw;
        }
    }
    s->quality = quality;
    if (!no_answer(quality) && mono_ns > s->last_mono_ns) s->last_mono_ns = mono_ns;
}

static inline int wants(double value, double limit_1, double limit_2, double deadband, uint8_t level) {
    int bits = 0;
    if ((value >= (level >= 1 ? limit_1 - deadband : limit_1)) != (level >= 1)) bits = PENDING_1;
    if ((value >= (level >= 2 ? limit_2 - deadband : limit_2)) != (level >= 2)) bits += PENDING_2;
    return bits;
}

static inline uint8_t turn(int bits, uint8_t level, bool good, const int64_t *t, const params_t *restrict p) {
    bool due_2 = bits & PENDING_2 && t[1] >= (level == 2 ? p->off_delay_ns : p->on_delay_2_ns);
    bool due_1 = bits & PENDING_1 && t[0] >= (level >= 1 ? p->off_delay_ns : p->on_delay_ns);
    if (level < 2 && due_2) return 2;
    if (level == 0) return due_1;
    if (!good || (level == 2 && !due_2)) return level;
    return !due_1;
}

static inline transition_t *record(transition_t *restrict t, int32_t row, uint8_t kind, uint8_t old, uint8_t new,
                                   int64_t time_ns, int64_t mono_ns, const state_t *restrict s) {
    bool bad = (s->quality & SEVERITY) >= BAD;
    t->mono_ns = mono_ns, t->time_ns = time_ns;
    t->value = bad ? NAN : s->value, t->raw = bad ? 0 : s->raw;
    t->row = row, t->kind = kind, t->old_level = old, t->new_level = new, t->quality = s->quality;
    t->inhibited = s->inhibited;
    return t;
}

static int64_t settle_side(int side, int32_t row, int64_t time_ns, int64_t mono_ns, bool good, int bits,
                           double limit_1, double limit_2, const params_t *restrict p, state_t *restrict s,
                           transition_t *restrict out, int64_t written) {
    double sign = side == HIGH ? 1.0 : -1.0;
    int64_t timer[2] = {bits & PENDING_1 ? s->timer_ns[side][0] : 0, bits & PENDING_2 ? s->timer_ns[side][1] : 0};
    uint8_t old = s->level[side], new = turn(bits, old, good, timer, p);
    if (new != old) {
        int about = new > old ? new : new == 0 && (old == 1 || !isnan(limit_1)) ? 1 : 2;
        transition_t *t = record(&out[written++], row, (uint8_t)side, old, new, time_ns, mono_ns, s);
        t->setpoint = about == 2 ? limit_2 : limit_1;
        t->elapsed_ns = timer[about - 1];
        s->level[side] = new;
        bits = wants(sign * s->value, sign * limit_1, sign * limit_2, p->deadband, new);
        if (old == 0 || new == 0) timer[0] = 0;
        if (old == 2 || new == 2) timer[1] = 0;
    }
    s->timer_ns[side][0] = timer[0], s->timer_ns[side][1] = timer[1];
    s->pending = (uint8_t)((s->pending & ~(3 << 2 * side)) | bits << 2 * side);
    return written;
}

static int64_t settle_fault(int32_t row, int64_t time_ns, int64_t mono_ns, bool bad, const params_t *restrict params,
                            state_t *restrict state, transition_t *restrict out, int64_t written) {
    const params_t *p = &params[row];
    state_t *s = &state[row];
    bool standing = s->fault_level, wanted = bad != standing;
    if (wanted && !standing) {
        bool excused = p->device_row != row && no_answer(s->quality)
                       && (state[p->device_row].quality & SEVERITY) >= BAD;
        bool early = s->quality == NEVER_READ && mono_ns - s->last_mono_ns <= p->stale_ns;
        wanted = !excused && !early;
    }
    int64_t timer_ns = wanted ? s->fault_timer_ns : 0;
    if (wanted && timer_ns >= (standing ? p->fault_off_delay_ns : p->fault_on_delay_ns)) {
        transition_t *t = record(&out[written++], row, FAULT, standing, !standing, time_ns, mono_ns, s);
        t->setpoint = NAN;
        t->elapsed_ns = timer_ns;
        s->fault_level = !standing;
        timer_ns = 0;
        wanted = false;
    }
    s->fault_timer_ns = timer_ns;
    s->pending = (uint8_t)((s->pending & ~PENDING_FAULT) | (wanted ? PENDING_FAULT : 0));
    return written;
}

static inline int64_t settle(int32_t row, int64_t time_ns, int64_t mono_ns, const params_t *restrict params,
                             state_t *restrict state, transition_t *restrict out, int64_t written) {
    const params_t *p = &params[row];
    state_t *s = &state[row];
    uint8_t severity = s->quality & SEVERITY;
    bool too_young = false;
    if (p->range_hold_ns) {
        bool below = severity < BAD && s->value < p->range_low;
        if (!below) s->below_timer_ns = 0;
        s->pending = (uint8_t)((s->pending & ~PENDING_BELOW) | (below ? PENDING_BELOW : 0));
        too_young = below && s->below_timer_ns < p->range_hold_ns;
    }
    if (severity < BAD) {
        int high = wants(s->value, p->h, p->hh, p->deadband, s->level[HIGH]);
        int low = wants(-s->value, -p->l, -p->ll, p->deadband, s->level[LOW]);
        if (high | low | (s->pending & PENDING_LEVELS)) {
            written = settle_side(HIGH, row, time_ns, mono_ns, severity == 0, high, p->h, p->hh, p, s, out, written);
            if (!too_young)
            written = settle_side(LOW, row, time_ns, mono_ns, severity == 0, low, p->l, p->ll, p, s, out, written);
        }
        if (!s->fault_level && !(s->pending & PENDING_FAULT)) return written;
    }
    return settle_fault(row, time_ns, mono_ns, severity >= BAD, params, state, out, written);
}

static inline int64_t settle_watched(int32_t row, int64_t time_ns, int64_t mono_ns, bool repeats,
                                     const params_t *restrict p, state_t *restrict s, transition_t *restrict out,
                                     int64_t written) {
    if (s->value >= p->over_range && !s->over_range_level) {
        transition_t *t = record(&out[written++], row, OVER_RANGE, 0, 1, time_ns, mono_ns, s);
        t->setpoint = p->over_range, t->elapsed_ns = 0;
        s->over_range_level = 1;
    }
    if (!p->frozen_ns && !s->frozen_level) return written;
    bool watched = p->frozen_ns > 0, clamped = s->value <= p->range_low || s->value >= p->range_high;
    bool same = repeats && watched && !clamped, standing = s->frozen_level;
    bool turns = same ? !standing && s->frozen_timer_ns >= p->frozen_ns : standing && (s->quality & SEVERITY) == 0;
    if (turns) {
        transition_t *t = record(&out[written++], row, FROZEN, standing, !standing, time_ns, mono_ns, s);
        t->setpoint = NAN, t->elapsed_ns = standing ? 0 : s->frozen_timer_ns;
        s->frozen_level = !standing;
    }
    if (turns || !same) s->frozen_timer_ns = 0;
    bool runs = watched && !clamped && !s->frozen_level;
    s->pending = (uint8_t)((s->pending & ~PENDING_FROZEN) | (runs ? PENDING_FROZEN : 0));
    return written;
}

/* Returns rows consumed; *transitions is set to how many were written. */
int64_t judge(int64_t n, const int32_t *restrict point_rows, const int64_t *restrict time_ns,
              const int64_t *restrict mono_ns, const double *restrict value, const uint8_t *restrict quality,
              const int64_t *restrict raw, int64_t points, const params_t *restrict params, state_t *restrict state,
              int64_t room, transition_t *restrict out, int64_t *restrict transitions) {
    int64_t written = 0, last_start = room - TRANSITIONS_PER_POINT, i = 0;
    for (; i < n; i++) {
        bool tick = point_rows[i] == TICK;
        int64_t first = tick ? 0 : point_rows[i], stop = tick ? points : first + 1;
        for (int64_t row = first; row < stop; row++) {
            if (written > last_start) goto full;
            state_t *s = &state[row];
            const params_t *p = &params[row];
            advance(mono_ns[i], p, s);
            bool repeats = value[i] == s->value;
            if (!tick)
                take_sample(value[i], quality[i], raw[i], mono_ns[i], p, s);
            else if (mono_ns[i] - s->last_mono_ns > p->stale_ns && !no_answer(s->quality))
                s->quality = STALE;
            written = settle((int32_t)row, time_ns[i], mono_ns[i], params, state, out, written);
            if (!tick && (s->quality & SEVERITY) < BAD)
                written = settle_watched((int32_t)row, time_ns[i], mono_ns[i], repeats, p, s, out, written);
        }
    }
full:
    *transitions = written;
    return i;
}

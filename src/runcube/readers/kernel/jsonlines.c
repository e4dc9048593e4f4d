/* JSON lines to columns, in one pass and without the GIL.
 *
 * decode(buffers, raw, always, columns, depth, line_bytes, digits)
 *     -> (rows, lines, offsets, ends, orders, columns, spans, bad, left_out, taken_back)
 *
 * buffers     sequence of objects with the buffer protocol: the files of one batch.
 * raw         top-level keys whose values stay undecoded bytes, each distinct spelling once.
 * always      top-level keys that are columns whatever the bound.
 * columns     bound on the number of columns; depth, line_bytes: bounds on a line, nesting beyond
 *             MAX_DEPTH included; digits: on a whole number.
 *
 * rows        number of records; lines (int32), offsets (int64) say where the line of each begins
 *             in its file; ends[f] (int64) is the number of rows up to the end of file f.
 * orders      one tuple of numbers of columns for each file: those that it has, in order of
 *             appearance in that file.
 * columns     [(path, seen, values, rows, kinds, words)], one for each distinct path, in order of
 *             appearance. A column holds cells only for the rows that have a value: rows (int32,
 *             rising), kinds (uint8, see enum kind), values (8 bytes each): a double, or as int64 the
 *             index into words (STRING, RAW) or spans (LIST). seen has bit k set if kind k occurs.
 *             A number with a point or an exponent that no double holds is INF or NINF too.
 * spans       int64 pairs (offset in its file, length).
 * bad         [(file, line, start, stop)]: lines that are no object, or beyond a bound; they cost
 *             nothing but themselves. Blank lines, and NULs around a record, are nothing.
 * left_out    [(path, row)]: paths beyond the bound, and the first row that had a value there.
 * taken_back  whether words may hold what no cell does, or stand in another order than the cells.
 *
 * How it is fast: a node of the tree of keys remembers which keys followed it last time, so that
 * a key is mostly known after one comparison of bytes; texts likewise. Lines end in '\n', which is
 * allowed nowhere in a record: nothing else needs to be checked against the end of the buffer.
 *
 * Every byte is looked at a bounded number of times: equal keys are forgotten through the list of
 * what they said, hashes are keyed, and what a line of a column costs does not depend on the others.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pow10.h"

#if defined(__GNUC__) || defined(__clang__)
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define first_bit(x) ((unsigned)__builtin_ctzll(x))
#define leading_zeros(x) ((unsigned)__builtin_clzll(x))
#define bswap64 __builtin_bswap64
#else
#include <intrin.h>
#define LIKELY(x) (x)
static inline unsigned first_bit(uint64_t x) { unsigned long i; _BitScanForward64(&i, x); return i; }
static inline unsigned leading_zeros(uint64_t x) { unsigned long i; _BitScanReverse64(&i, x); return 63 - i; }
#define bswap64 _byteswap_uint64
#endif

/* Bytes that may be read behind the '\n' of a line. */
#define PAD 8
#define MAX_TEXT 0x7fffffff
/* Objects and lists inside each other; a thread has little stack on some systems. */
#define MAX_DEPTH 200

enum kind {
    MISSING, INT, BIGINT, FLOAT, NAN_WORD, INF_WORD, NINF_WORD, NULL_WORD, TRUE_WORD, FALSE_WORD,
    STRING, LIST, EMPTY, RAW, N_KINDS
};
static const char *const KINDS[N_KINDS] = {
    "MISSING", "INT", "BIGINT", "FLOAT", "NAN", "INF", "NINF", "NULL", "TRUE", "FALSE",
    "STRING", "LIST", "EMPTY", "RAW"
};

/* ------------------------------------------------------------------ bytes, eight at a time */

static inline uint64_t load8(const char *p)
{
    uint64_t x;
    memcpy(&x, p, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    x = bswap64(x);
#endif
    return x;
}

#define EACH(byte) (0x0101010101010101u * (uint64_t)(byte))

/* High bit of each byte that ends a run of plain text; exact up to the first one. */
static inline uint64_t special(uint64_t x)
{
    uint64_t quote = x ^ EACH('"'), slash = x ^ EACH('\\');
    return (((quote - EACH(1)) & ~quote) | ((slash - EACH(1)) & ~slash) | (x - EACH(0x20)) | x) & EACH(0x80);
}

/* The number that eight digits make, given as 0 to 9. */
static inline uint64_t eight_digits(uint64_t x)
{
    x = x * 10 + (x >> 8); /* pairs, in every other byte */
    return (((x & 0x000000ff000000ff) * 0x000f424000000064 +
             ((x >> 16) & 0x000000ff000000ff) * 0x0000271000000001) >> 32) & 0xffffffff;
}

/* Append digits to w as long as there are any: without a branch for each, which would be foretold badly. */
static inline const char *digits(const char *p, uint64_t *w)
{
    static const uint64_t POWER[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
    uint64_t x, other;
    for (;; p += 8) {
        x = load8(p) ^ EACH('0');
        other = ((x + EACH(0x76)) | x) & EACH(0x80);
        if (other)
            break;
        *w = *w * 100000000 + eight_digits(x);
    }
    unsigned n = first_bit(other) >> 3;
    if (LIKELY(n)) {
        *w = *w * POWER[n] + eight_digits(x << (64 - 8 * n));
        p += n;
    }
    return p;
}

static inline bool is_digit(char c) { return (unsigned char)(c - '0') < 10; }

/* A text with its quotes, padded with zeros to whole words; len 0: never to be compared. */
typedef struct { const char *s; uint32_t len; } Text;

static inline bool match(const char *p, Text t)
{
    uint32_t i = 0;
    if (!t.len)
        return false;
    for (; i + 8 < t.len; i += 8)
        if (load8(p + i) != load8(t.s + i))
            return false;
    return ((load8(p + i) ^ load8(t.s + i)) << (8 * (8 - (t.len - i)))) == 0;
}

/* --------------------------------------------------------------------------------- numbers */

static inline void multiply(uint64_t a, uint64_t b, uint64_t *high, uint64_t *low)
{
#if defined(__SIZEOF_INT128__)
    unsigned __int128 product = (unsigned __int128)a * b;
    *high = (uint64_t)(product >> 64);
    *low = (uint64_t)product;
#elif defined(_M_X64)
    *low = _umul128(a, b, high);
#else
    uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
    uint64_t ll = al * bl, lh = al * bh, hl = ah * bl, middle = (ll >> 32) + (uint32_t)lh + (uint32_t)hl;
    *high = ah * bh + (lh >> 32) + (hl >> 32) + (middle >> 32);
    *low = (middle << 32) | (uint32_t)ll;
#endif
}

/* The double nearest to w * 10**q; with tail, to any number between that and (w + 1) * 10**q.
 * False if it is none of our business: subnormal, infinite, or too near a tie to tell.
 *
 * Eisel's and Lemire's way, as an interval: 10**q is in [T, T + 1) * 2**k, so the product is in
 * [w * T, w * T + width); if both ends round to the same 53 bits, so does the number. */
static bool nearest(uint64_t w, int64_t q, bool tail, double *out)
{
    uint64_t h, m, l, carry, bits;
    if (q < POW10_LOW || q > POW10_HIGH)
        return false;
    const uint64_t *t = POW10[q - POW10_LOW];
    unsigned zeros = leading_zeros(w);
    w <<= zeros;
    multiply(w, t[0], &h, &m);
    unsigned s = 10 + (unsigned)(h >> 63);
    uint64_t rest = h & ((1u << s) - 1), half = 1u << (s - 1);
    /* What is left out adds less than 2 to h. */
    if (tail || (rest + 2 >= half && rest <= half)) {
        uint64_t h2, m2, l2;
        multiply(w, t[1], &carry, &l);
        m += carry;
        h += m < carry;
        s = 10 + (unsigned)(h >> 63);
        half = 1u << (s - 1);
        if ((h & ((1u << s) - 1)) == half && m == 0 && l == 0)
            return false; /* a tie, if the power is exact */
        l2 = l + w;
        m2 = m + (l2 < w);
        h2 = h + (m2 < m);
        if (tail) {
            uint64_t low = (t[1] << zeros) + (1u << zeros);
            uint64_t high = (t[0] << zeros) | (zeros ? t[1] >> (64 - zeros) : 0);
            uint64_t top = zeros ? t[0] >> (64 - zeros) : 0;
            l2 += low;
            carry = l2 < low;
            m2 += carry;
            h2 += m2 < carry;
            m2 += high;
            h2 += m2 < high;
            h2 += top + 1; /* one more than needed, should low have overflowed */
        }
        if (h2 < h || 10 + (unsigned)(h2 >> 63) != s || (h + half) >> s != (h2 + half) >> s || h + half < h ||
            h2 + half < h2)
            return false;
    }
    if (h + half < h)
        return false;
    int64_t exponent = 1023 + 52 + (int64_t)s + 1 + ((q * 217706) >> 16) - (int64_t)zeros;
    if (exponent < 1 || exponent > 2045)
        return false;
    bits = ((uint64_t)(exponent - 1) << 52) + ((h + half) >> s);
    memcpy(out, &bits, 8);
    return true;
}

typedef struct { double value; int64_t digits; uint8_t kind; bool hard; } Number;

/* Read the number at p; its end, or NULL if it is none. digits: of a whole number, else 0;
 * hard: the value is left to Python. */
static inline const char *number(const char *p, Number *out)
{
    bool negative = *p == '-', tail = false, whole = true;
    uint64_t w = 0;
    int64_t q = 0;
    const char *first = p += negative, *point;
    while (is_digit(*p))
        w = w * 10 + (uint64_t)(*p++ - '0');
    int64_t n = p - first;
    if (!n || (*first == '0' && n > 1))
        return NULL;
    point = p;
    if (*p == '.') {
        whole = false;
        point = p + 1;
        p = digits(point, &w);
        q = point - p;
        if (!q)
            return NULL;
        n -= q;
    }
    const char *stop = p;
    if ((*p | 0x20) == 'e') {
        bool down = *++p == '-';
        int64_t e = 0;
        whole = false;
        p += down || *p == '+';
        if (!is_digit(*p))
            return NULL;
        do
            e = e < 100000000000000000 ? e * 10 + (*p - '0') : e;
        while (is_digit(*++p));
        q += down ? -e : e;
    }
    if (n > 19) {
        /* Perhaps too many: the first 19 without leading zeros, and whether more than zeros follow. */
        const char *at = first;
        while (at < stop && (*at == '0' || *at == '.'))
            at++;
        n = stop - at - (at < point && point < stop);
        if (n > 19) {
            q += n - 19;
            w = 0;
            for (int k = 0; k < 19; at++)
                if (*at != '.') {
                    w = w * 10 + (uint64_t)(*at - '0');
                    k++;
                }
            for (; at < stop && !tail; at++)
                tail = *at != '0' && *at != '.';
        }
    }
    out->hard = false;
    out->digits = 0;
    if (whole) {
        out->digits = stop - first;
        out->kind = q == 0 && w <= (1ull << 53) ? INT : BIGINT;
        if (w == 0)
            negative = false; /* an integer has no negative zero */
    } else
        out->kind = FLOAT;
    double value;
    if (w == 0 || q < POW10_LOW)
        value = 0.0;
    else if (q == 0 && !tail)
        value = (double)w;
    else if (!nearest(w, q, tail, &value)) {
        out->hard = true;
        value = 0.0;
    }
    out->value = negative ? -value : value;
    return p;
}

/* --------------------------------------------------------------------------------- strings */

static inline int hex(char c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int four_hex(const char *p)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex(p[i]);
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* Length of the UTF-8 sequence at p, 0 if it is none. */
static int sequence(const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    unsigned char low = 0x80, high = 0xbf;
    int n;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (p[0] == 0xe0) low = 0xa0;
    if (p[0] == 0xed) high = 0x9f;
    if (p[0] == 0xf0) low = 0x90;
    if (p[0] == 0xf4) high = 0x8f;
    if (p[1] < low || p[1] > high)
        return 0;
    for (int i = 2; i < n; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return n;
}

/* The closing quote of the string that begins at p, NULL if it is broken. */
static inline const char *string_end(const char *p, bool *escaped)
{
    for (;;) {
        uint64_t found = special(load8(p));
        if (!found) {
            p += 8;
            continue;
        }
        p += first_bit(found) >> 3;
        if (LIKELY(*p == '"'))
            return p;
        if (*p == '\\') {
            *escaped = true;
            if (p[1] == 'u') {
                if (four_hex(p + 2) < 0)
                    return NULL;
                p += 6;
            } else if (p[1] && strchr("\"\\/bfnrt", p[1]))
                p += 2;
            else
                return NULL;
        } else {
            int n = sequence(p);
            if (!n)
                return NULL;
            p += n;
        }
    }
}

/* Undo the escapes of a sound string; lone surrogates become three bytes ("surrogatepass"). */
static size_t unescape(const char *p, const char *end, char *out)
{
    char *to = out;
    while (p < end) {
        if (*p != '\\') {
            *to++ = *p++;
            continue;
        }
        char c = p[1];
        p += 2;
        if (c != 'u') {
            *to++ = c == 'b' ? '\b' : c == 'f' ? '\f' : c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
            continue;
        }
        unsigned u = (unsigned)four_hex(p);
        p += 4;
        if (u >= 0xd800 && u < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
            unsigned v = (unsigned)four_hex(p + 2);
            if (v >= 0xdc00 && v < 0xe000) {
                u = 0x10000 + ((u - 0xd800) << 10) + (v - 0xdc00);
                p += 6;
            }
        }
        if (u < 0x80)
            *to++ = (char)u;
        else {
            if (u < 0x800)
                *to++ = (char)(0xc0 | u >> 6);
            else {
                if (u < 0x10000)
                    *to++ = (char)(0xe0 | u >> 12);
                else {
                    *to++ = (char)(0xf0 | u >> 18);
                    *to++ = (char)(0x80 | (u >> 12 & 0x3f));
                }
                *to++ = (char)(0x80 | (u >> 6 & 0x3f));
            }
            *to++ = (char)(0x80 | (u & 0x3f));
        }
    }
    return (size_t)(to - out);
}

/* ---------------------------------------------------------------------------------- memory */

typedef struct Chunk { struct Chunk *next; size_t used, size; char data[]; } Chunk;

/* Make room for one more element of an array. */
static bool room(void *array, size_t n, size_t *capacity, size_t size)
{
    if (LIKELY(n < *capacity))
        return true;
    size_t more = *capacity ? *capacity * 2 : 8;
    void *old, *new;
    if (more > SIZE_MAX / 2 / size)
        return false;
    memcpy(&old, array, sizeof old);
    if (!(new = realloc(old, more * size)))
        return false;
    memcpy(array, &new, sizeof new);
    *capacity = more;
    return true;
}

/* ------------------------------------------------------------------------- tree and columns */

/* One text of a dictionary: its bytes between quotes, and which one came next last time. */
typedef struct { Text text; const char *s; uint32_t len, next; } Word;

typedef struct Node Node;
typedef struct { Node *a, *b; } Follow;

struct Node {
    Text text; /* the key with its quotes, as it stands in a file */
    Follow next; /* keys that came after it */
    Follow first; /* keys that came first in the object that it names */
    int64_t stamp; /* which key it was last, of all that were read; 0: was taken back */
    Node *said, *also; /* first of its keys on this line; the next of them with the same parent */
    int64_t left_out; /* the first row, plus 1, whose value is left out */
    size_t hard; /* its last number that was left to Python, plus 1 */
    bool raw, always, is_column;
    uint32_t column; /* its number, of one that is a column */
    uint8_t *kinds;
    int32_t *rows;
    double *values;
    size_t n, capacity, room[3]; /* room: of each of the three, capacity the least of it */
    Word *words;
    size_t n_words, cap_words;
    uint32_t last_word;
    Node *parent;
    const char *key;
    uint32_t key_len;
};

typedef struct { uint64_t hash; const void *owner; const char *s; uint32_t len, value; } Entry;
typedef struct { Entry *entries; size_t n, size; } Map;
typedef struct { Node *node; size_t cell; const char *s; size_t len; } Hard;
typedef struct { int64_t file, line, start, stop; } Bad;

/* Arrays that are free again, by the size of their elements: 1, 4, 8. Fresh memory costs more time than
 * to fill it, and threads that ask the system for it wait for each other. */
enum { MAX_SPARE = 512, SPARE_BYTES = 1 << 24 };
typedef struct { void *data; size_t room; } Spare;
typedef struct { Spare of[3][MAX_SPARE]; size_t n[3], bytes; } Pool;
static const size_t ELEMENT[3] = {1, 4, 8};

typedef struct {
    Chunk *arena;
    Pool *pool;
    Node *root, **nodes, **columns;
    Node **fresh, **beyond; /* columns that begin in this file on this line; those beyond the bound */
    Node **order; /* columns of one file after the other, in order of appearance in each */
    size_t n_nodes, cap_nodes, n_columns, cap_columns, n_fresh, cap_fresh, n_beyond, cap_beyond;
    size_t n_order, cap_order;
    Map keys, words;
    int32_t *lines;
    int64_t *offsets;
    size_t n_rows, cap_lines, cap_offsets;
    int64_t *spans;
    size_t n_spans, cap_spans;
    Bad *bad;
    size_t n_bad, cap_bad;
    Hard *hard;
    size_t n_hard, cap_hard, hard_before;
    Node **touched;
    size_t n_touched, cap_touched;
    char *scratch;
    size_t cap_scratch;
    char **tails;
    size_t n_tails, cap_tails;
    /* of the file at hand */
    const char *origin, *limit;
    int64_t bias, file, line;
    /* keys so far, and before this line */
    int64_t stamp, line_stamp;
    uint64_t seed;
    size_t most_columns;
    int64_t depth, line_bytes, digits;
    bool no_memory, too_long, taken_back, again; /* again: equal keys on this line */
} State;

static void give_back(Pool *pool, int kind, void *data, size_t room)
{
    size_t bytes = room * ELEMENT[kind];
    if (!data || pool->n[kind] == MAX_SPARE || bytes > SPARE_BYTES - pool->bytes) {
        free(data);
        return;
    }
    pool->bytes += bytes;
    pool->of[kind][pool->n[kind]++] = (Spare){data, room};
}

/* As room(), with an array of the pool to begin with. */
static bool reserve(State *d, void *array, size_t n, size_t *capacity, int kind)
{
    if (!*capacity && d->pool->n[kind]) {
        Spare spare = d->pool->of[kind][--d->pool->n[kind]];
        d->pool->bytes -= spare.room * ELEMENT[kind];
        memcpy(array, &spare.data, sizeof spare.data);
        *capacity = spare.room;
    }
    return room(array, n, capacity, ELEMENT[kind]);
}

static const char *no_memory(State *d)
{
    d->no_memory = true;
    return NULL;
}

static char *take(State *d, size_t size)
{
    size = (size + 15) & ~(size_t)7;
    if (!d->arena || d->arena->size - d->arena->used < size) {
        size_t whole = size > 65536 ? size : 65536;
        Chunk *chunk = malloc(sizeof(Chunk) + whole);
        if (!chunk)
            return NULL;
        *chunk = (Chunk){d->arena, 0, whole};
        d->arena = chunk;
    }
    char *p = d->arena->data + d->arena->used;
    d->arena->used += size;
    return p;
}

/* Keep a text: with quotes around it and zeros behind it. */
static bool keep(State *d, const char *s, uint32_t len, bool quoted, Text *text)
{
    char *p = take(d, (size_t)len + 2 + 8);
    if (!p)
        return false;
    p[0] = '"';
    memcpy(p + 1, s, len);
    p[len + 1] = '"';
    memset(p + len + 2, 0, 8);
    *text = (Text){p, quoted ? len + 2 : 0};
    return true;
}

static inline uint64_t mixed(uint64_t a, uint64_t b)
{
    uint64_t high, low;
    multiply(a, b, &high, &low);
    return high ^ low;
}

/* Keyed: who does not know the seed cannot make texts that collide. */
static uint64_t hash_of(uint64_t seed, const void *owner, const char *s, uint32_t len)
{
    uint64_t h = mixed((uint64_t)(uintptr_t)owner ^ 0x9e3779b97f4a7c15u, seed) + len, x;
    for (; len >= 8; s += 8, len -= 8) {
        memcpy(&x, s, 8);
        h = mixed(h ^ x, seed);
    }
    x = 0;
    memcpy(&x, s, len);
    return mixed(mixed(h ^ x, seed) ^ 0xc4ceb9fe1a85ec53u, seed);
}

/* The entry of a text, or the free one where it belongs (owner NULL); NULL without memory. */
static Entry *look_up(Map *map, uint64_t seed, const void *owner, const char *s, uint32_t len)
{
    if (map->n * 2 >= map->size) {
        size_t size = map->size ? map->size * 2 : 64;
        Entry *entries = calloc(size, sizeof(Entry));
        if (!entries)
            return NULL;
        for (size_t i = 0; i < map->size; i++)
            if (map->entries[i].owner) {
                size_t j = map->entries[i].hash & (size - 1);
                while (entries[j].owner)
                    j = (j + 1) & (size - 1);
                entries[j] = map->entries[i];
            }
        free(map->entries);
        map->entries = entries;
        map->size = size;
    }
    uint64_t hash = hash_of(seed, owner, s, len);
    size_t i = hash & (map->size - 1);
    for (;; i = (i + 1) & (map->size - 1)) {
        Entry *e = &map->entries[i];
        if (!e->owner) {
            e->hash = hash;
            return e;
        }
        if (e->hash == hash && e->owner == owner && e->len == len && !memcmp(e->s, s, len))
            return e;
    }
}

/* Whether a text may stand in a file as it is; surrogates, which only escapes make, may not. */
static bool is_plain(const char *s, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == '"' || s[i] == '\\' || (unsigned char)s[i] == 0xed)
            return false;
    return true;
}

static Node *node_of(State *d, Node *parent, const char *key, uint32_t len, bool plain)
{
    Entry *e = look_up(&d->keys, d->seed, parent, key, len);
    if (!e)
        return NULL;
    if (e->owner)
        return d->nodes[e->value];
    Node *node = (Node *)take(d, sizeof(Node));
    if (!node || !room(&d->nodes, d->n_nodes, &d->cap_nodes, sizeof *d->nodes))
        return NULL;
    memset(node, 0, sizeof *node);
    if (!keep(d, key, len, plain, &node->text))
        return NULL;
    node->key = node->text.s + 1;
    node->key_len = len;
    node->parent = parent;
    *e = (Entry){e->hash, parent, node->key, len, (uint32_t)d->n_nodes};
    d->keys.n++;
    return d->nodes[d->n_nodes++] = node;
}

/* Code of a text in the dictionary of a column, -1 without memory. */
static int64_t word_of(State *d, Node *node, const char *s, uint32_t len, bool plain)
{
    Entry *e = look_up(&d->words, d->seed, node, s, len);
    if (!e)
        return -1;
    if (!e->owner) {
        Word word = {.len = len};
        if (!room(&node->words, node->n_words, &node->cap_words, sizeof(Word)) ||
            !keep(d, s, len, plain, &word.text))
            return -1;
        word.s = word.text.s + 1;
        word.next = (uint32_t)node->n_words;
        *e = (Entry){e->hash, node, word.s, len, (uint32_t)node->n_words};
        d->words.n++;
        node->words[node->n_words++] = word;
    }
    return e->value;
}

/* Room for one more cell of a column, which begins if this is its first in the file. */
static bool grow(State *d, Node *node)
{
    size_t *r = node->room;
    bool begins = !node->capacity;
    if (!reserve(d, &node->kinds, node->n, &r[0], 0) || !reserve(d, &node->rows, node->n, &r[1], 1) ||
        !reserve(d, &node->values, node->n, &r[2], 2))
        return false;
    node->capacity = r[0] < r[1] ? r[0] : r[1];
    node->capacity = node->capacity < r[2] ? node->capacity : r[2];
    if (!begins)
        return true;
    if (!room(&d->fresh, d->n_fresh, &d->cap_fresh, sizeof *d->fresh))
        return false;
    d->fresh[d->n_fresh++] = node;
    return true;
}

static inline bool put(State *d, Node *node, uint8_t kind, double value)
{
    if (!LIKELY(node->n < node->capacity)) {
        if (node->left_out)
            return true;
        if (!grow(d, node))
            return false;
    }
    node->kinds[node->n] = kind;
    node->rows[node->n] = (int32_t)d->n_rows;
    node->values[node->n++] = value;
    if (!room(&d->touched, d->n_touched, &d->cap_touched, sizeof *d->touched))
        return false;
    d->touched[d->n_touched++] = node;
    return true;
}

static inline bool put_index(State *d, Node *node, uint8_t kind, int64_t index)
{
    double value;
    memcpy(&value, &index, 8);
    return put(d, node, kind, value);
}

/* The last cell of a column is gone: Python need not read its number. */
static void not_hard(State *d, Node *node)
{
    Hard *hard = node->hard > d->hard_before && node->hard <= d->n_hard ? &d->hard[node->hard - 1] : NULL;
    if (hard && hard->node == node && hard->cell == node->n)
        hard->len = 0;
}

/* Take back what a key has said on this line. */
static void forget(State *d, Node *node)
{
    if (node->n && node->rows[node->n - 1] == (int32_t)d->n_rows) {
        node->n--;
        not_hard(d, node);
    }
    if (node->said && node->said->stamp > d->line_stamp)
        for (Node *child = node->said; child; child = child->also) {
            forget(d, child);
            child->stamp = 0;
        }
    node->said = NULL;
}

/* Whether a comes before b in a dict of the line: where the first of equal keys stands. */
static int in_order(const void *one, const void *other)
{
    const Node *a = *(Node *const *)one, *b = *(Node *const *)other;
    int depth = 0;
    for (const Node *at = a; at->parent; at = at->parent)
        depth++;
    for (const Node *at = b; at->parent; at = at->parent)
        depth--;
    for (; depth > 0; depth--)
        a = a->parent;
    for (; depth < 0; depth++)
        b = b->parent;
    while (a->parent != b->parent)
        a = a->parent, b = b->parent;
    return (a->stamp > b->stamp) - (a->stamp < b->stamp);
}

static void without_cells(State *d, Node *node)
{
    give_back(d->pool, 0, node->kinds, node->room[0]);
    give_back(d->pool, 1, node->rows, node->room[1]);
    give_back(d->pool, 2, node->values, node->room[2]);
    node->kinds = NULL, node->rows = NULL, node->values = NULL;
    node->n = node->capacity = node->room[0] = node->room[1] = node->room[2] = 0;
}

/* Columns that begin in a file on a sound line: as many as there may be. */
static bool begin_columns(State *d)
{
    if (d->again)
        qsort(d->fresh, d->n_fresh, sizeof *d->fresh, in_order);
    for (size_t i = 0; i < d->n_fresh; i++) {
        Node *node = d->fresh[i];
        if (!node->n || node->rows[node->n - 1] != (int32_t)d->n_rows)
            node->capacity = 0; /* it begins with its next cell */
        else if (node->is_column || node->always || d->n_columns < d->most_columns) {
            if (!room(&d->columns, d->n_columns, &d->cap_columns, sizeof *d->columns) ||
                !room(&d->order, d->n_order, &d->cap_order, sizeof *d->order))
                return false;
            if (!node->is_column) {
                node->is_column = true;
                node->column = (uint32_t)d->n_columns;
                d->columns[d->n_columns++] = node;
            }
            d->order[d->n_order++] = node;
        } else {
            if (!room(&d->beyond, d->n_beyond, &d->cap_beyond, sizeof *d->beyond))
                return false;
            d->beyond[d->n_beyond++] = node;
            without_cells(d, node);
            not_hard(d, node);
            node->left_out = (int64_t)d->n_rows + 1;
        }
    }
    return true;
}

/* --------------------------------------------------------------------------------- parsing */

static inline const char *blanks(const char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\r')
        p++;
    return p;
}

/* The end of a value that is not decoded, NULL if it is no JSON; most: how deep it may be nested. */
static const char *skip(State *d, const char *p, int64_t most)
{
    bool is_object[MAX_DEPTH];
    int64_t depth = 0;
    bool escaped;
    Number n;
    for (;;) {
        /* a value */
        switch (*p) {
        case '{':
        case '[':
            if (depth >= most)
                return NULL;
            is_object[depth++] = *p == '{';
            p = blanks(p + 1);
            if (*p == (is_object[depth - 1] ? '}' : ']'))
                break;
            if (is_object[depth - 1])
                goto key;
            continue;
        case '"':
            if (!(p = string_end(p + 1, &escaped)))
                return NULL;
            p++;
            goto after;
        case 't':
        case 'n':
            if (memcmp(p, "true", 4) && memcmp(p, "null", 4))
                return NULL;
            p += 4;
            goto after;
        case 'f':
            if (memcmp(p, "false", 5))
                return NULL;
            p += 5;
            goto after;
        case 'N':
            if (memcmp(p, "NaN", 3))
                return NULL;
            p += 3;
            goto after;
        default:
            if (*p == '-' && p[1] == 'I')
                p++;
            if (*p == 'I') {
                if (memcmp(p, "Infinity", 8))
                    return NULL;
                p += 8;
            } else if (!(p = number(p, &n)) || n.digits > d->digits)
                return NULL;
            goto after;
        }
        p++;
        depth--;
    after: /* what may come after a value */
        if (!depth)
            return p;
        p = blanks(p);
        if (*p == ',') {
            p = blanks(p + 1);
            if (!is_object[depth - 1])
                continue;
        } else if (*p == (is_object[depth - 1] ? '}' : ']')) {
            p++;
            depth--;
            goto after;
        } else
            return NULL;
    key:
        if (*p != '"')
            return NULL;
        if (!(p = string_end(p + 1, &escaped)))
            return NULL;
        p = blanks(p + 1);
        if (*p != ':')
            return NULL;
        p = blanks(p + 1);
    }
}

/* Undo escapes in a buffer that stays; NULL without memory. */
static const char *plain_text(State *d, const char *s, const char *end, uint32_t *len)
{
    size_t most = (size_t)(end - s) + 1;
    if (most > d->cap_scratch) {
        char *scratch = realloc(d->scratch, most * 2);
        if (!scratch)
            return NULL;
        d->scratch = scratch;
        d->cap_scratch = most * 2;
    }
    *len = (uint32_t)unescape(s, end, d->scratch);
    return d->scratch;
}

/* A key that was not foreseen. */
static const char *key(State *d, const char *p, Node *parent, Node **node)
{
    bool escaped = false;
    if (*p != '"')
        return NULL;
    const char *s = p + 1, *end = string_end(s, &escaped);
    if (!end)
        return NULL;
    if (end - s > MAX_TEXT)
        return NULL;
    uint32_t len = (uint32_t)(end - s);
    if (escaped && !(s = plain_text(d, s, end, &len)))
        return no_memory(d);
    *node = node_of(d, parent, s, len, !escaped || is_plain(s, len));
    return *node ? end + 1 : no_memory(d);
}

static const char *string(State *d, const char *p, Node *node)
{
    int64_t code;
    if (node->n_words) {
        Word *last = &node->words[node->last_word], *next = &node->words[last->next];
        if (match(p, next->text)) {
            node->last_word = last->next;
            p += next->text.len;
            return put_index(d, node, STRING, node->last_word) ? p : no_memory(d);
        }
    }
    bool escaped = false;
    const char *s = p + 1, *end = string_end(s, &escaped);
    if (!end)
        return NULL;
    if (end - s > MAX_TEXT)
        return NULL;
    uint32_t len = (uint32_t)(end - s);
    if (escaped && !(s = plain_text(d, s, end, &len)))
        return no_memory(d);
    if ((code = word_of(d, node, s, len, !escaped)) < 0 || !put_index(d, node, STRING, code))
        return no_memory(d);
    node->words[node->last_word].next = (uint32_t)code;
    node->last_word = (uint32_t)code;
    return end + 1;
}

static const char *raw(State *d, const char *p, Node *node, int64_t depth)
{
    if (!memcmp(p, "null", 4))
        return put(d, node, NULL_WORD, 0) ? p + 4 : no_memory(d);
    if (node->n_words && (*p == '{' || *p == '[' || *p == '"')) {
        Word *last = &node->words[node->last_word];
        if ((size_t)(d->limit - p) >= last->len && !memcmp(p, last->s, last->len))
            return put_index(d, node, RAW, node->last_word) ? p + last->len : no_memory(d);
    }
    const char *end = skip(d, p, d->depth - depth);
    if (!end)
        return NULL;
    if (end - p > MAX_TEXT)
        return NULL;
    int64_t code = word_of(d, node, p, (uint32_t)(end - p), false);
    if (code < 0 || !put_index(d, node, RAW, code))
        return no_memory(d);
    node->last_word = (uint32_t)code;
    return end;
}

static const char *list(State *d, const char *p, Node *node, int64_t depth)
{
    const char *end = skip(d, p, d->depth - depth);
    if (!end)
        return NULL;
    if (!room(&d->spans, d->n_spans * 2 + 1, &d->cap_spans, sizeof *d->spans))
        return no_memory(d);
    d->spans[d->n_spans * 2] = p - d->origin + d->bias;
    d->spans[d->n_spans * 2 + 1] = end - p;
    return put_index(d, node, LIST, (int64_t)d->n_spans++) ? end : no_memory(d);
}

static inline const char *word(State *d, const char *p, const char *text, size_t len, Node *node, uint8_t kind, double value)
{
    if (memcmp(p, text, len))
        return NULL;
    return put(d, node, kind, value) ? p + len : no_memory(d);
}

/* depth: objects that are open, this one included */
static const char *object(State *d, const char *p, Node *self, int64_t depth)
{
    Follow *follow = &self->first;
    p = blanks(p);
    if (*p == '}') {
        if (self != d->root && !put(d, self, EMPTY, 0))
            return no_memory(d);
        return p + 1;
    }
    for (;;) {
        Node *node = follow->a;
        if (LIKELY(node && match(p, node->text)))
            p += node->text.len;
        else if ((node = follow->b) && match(p, node->text))
            p += node->text.len;
        else {
            if (!(p = key(d, p, self, &node)))
                return NULL;
            if (node != follow->a && node != follow->b)
                *follow = (Follow){node, follow->a};
        }
        follow = &node->next;
        if (node->stamp > d->line_stamp) {
            forget(d, node); /* the last of equal keys counts */
            d->again = d->taken_back = true;
        } else {
            if (self->parent) {
                node->also = self->said && self->said->stamp > d->line_stamp ? self->said : NULL;
                self->said = node;
            }
            node->stamp = ++d->stamp;
        }
        p = blanks(p);
        if (*p != ':')
            return NULL;
        p = blanks(p + 1);
        if (node->raw) {
            if (!(p = raw(d, p, node, depth)))
                return NULL;
        } else
            switch (*p) {
            case '"':
                if (!(p = string(d, p, node)))
                    return NULL;
                break;
            case '{':
                if (depth >= d->depth)
                    return NULL;
                if (!(p = object(d, p + 1, node, depth + 1)))
                    return NULL;
                break;
            case '[':
                if (!(p = list(d, p, node, depth)))
                    return NULL;
                break;
            case 't': p = word(d, p, "true", 4, node, TRUE_WORD, 1.0); break;
            case 'f': p = word(d, p, "false", 5, node, FALSE_WORD, 0.0); break;
            case 'n': p = word(d, p, "null", 4, node, NULL_WORD, 0.0); break;
            case 'N': p = word(d, p, "NaN", 3, node, NAN_WORD, Py_NAN); break;
            case 'I': p = word(d, p, "Infinity", 8, node, INF_WORD, Py_HUGE_VAL); break;
            default: {
                Number n;
                const char *end = number(p, &n);
                if (end) {
                    if (n.digits > d->digits)
                        return NULL;
                    if (!put(d, node, n.kind, n.value))
                        return no_memory(d);
                    if (n.hard && !node->left_out) {
                        if (!room(&d->hard, d->n_hard, &d->cap_hard, sizeof *d->hard))
                            return no_memory(d);
                        d->hard[d->n_hard++] = (Hard){node, node->n - 1, p, (size_t)(end - p)};
                        node->hard = d->n_hard;
                    }
                    p = end;
                } else if (*p == '-' && p[1] == 'I')
                    p = word(d, p + 1, "Infinity", 8, node, NINF_WORD, -Py_HUGE_VAL);
                else
                    return NULL;
            }
            }
        if (!p)
            return NULL;
        if (LIKELY(*p == ',' && p[1] == ' ' && p[2] == '"')) {
            p += 2;
            continue;
        }
        p = blanks(p);
        if (*p == '}')
            return p + 1;
        if (*p != ',')
            return NULL;
        p = blanks(p + 1);
    }
}

/* Lines from p to stop, which is behind a '\n'; false without memory. */
static bool lines(State *d, const char *p, const char *stop)
{
    while (p < stop) {
        const char *start = p, *end = NULL;
        size_t n_spans = d->n_spans;
        if (d->line++ == INT32_MAX || d->n_rows == INT32_MAX) {
            d->too_long = true;
            return false;
        }
        while (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\0')
            p++;
        if (*p == '\n') {
            p++;
            continue;
        }
        d->line_stamp = d->stamp;
        d->n_touched = d->n_fresh = 0;
        d->hard_before = d->n_hard;
        d->again = false;
        if (*p == '{' && d->depth > 0 && (end = object(d, p + 1, d->root, 1))) {
            bool is_long = end - p > d->line_bytes;
            while (*end == ' ' || *end == '\t' || *end == '\r' || *end == '\0')
                end++;
            if (*end != '\n' || is_long)
                end = NULL;
        }
        if (LIKELY(end != NULL)) {
            if ((d->n_fresh && !begin_columns(d)) || !reserve(d, &d->lines, d->n_rows, &d->cap_lines, 1) ||
                !reserve(d, &d->offsets, d->n_rows, &d->cap_offsets, 2))
                return false;
            d->lines[d->n_rows] = (int32_t)d->line;
            d->offsets[d->n_rows++] = start - d->origin + d->bias;
            p = end + 1;
            continue;
        }
        if (d->no_memory)
            return false;
        d->taken_back = true;
        while (d->n_touched) {
            Node *node = d->touched[--d->n_touched];
            if (node->n && node->rows[node->n - 1] == (int32_t)d->n_rows)
                node->n--;
        }
        for (size_t i = 0; i < d->n_fresh; i++)
            d->fresh[i]->capacity = 0;
        d->n_hard = d->hard_before;
        d->n_spans = n_spans;
        if (!room(&d->bad, d->n_bad, &d->cap_bad, sizeof *d->bad))
            return false;
        p = memchr(p, '\n', (size_t)(stop - p));
        int64_t first = start - d->origin + d->bias;
        d->bad[d->n_bad++] = (Bad){d->file, d->line, first, first + (p - start)};
        p++;
    }
    return true;
}

/* A file; its last line is copied, so that there is a '\n' and something behind it. */
static bool decode_file(State *d, const char *data, size_t size)
{
    size_t start = size >= 3 && !memcmp(data, "\xef\xbb\xbf", 3) ? 3 : 0, stop = size > PAD ? size - PAD : 0;
    while (stop > start && data[stop - 1] != '\n')
        stop--;
    d->line = 0;
    d->origin = data;
    d->bias = 0;
    d->limit = data + size;
    if (stop > start && !lines(d, data + start, data + stop))
        return false;
    start = stop > start ? stop : start;
    size_t rest = size - start;
    if (!rest)
        return true;
    char *tail = calloc(1, rest + 1 + PAD);
    if (!tail || !room(&d->tails, d->n_tails, &d->cap_tails, sizeof *d->tails)) {
        free(tail);
        return false;
    }
    d->tails[d->n_tails++] = tail; /* what is hard still points there */
    memcpy(tail, data + start, rest);
    tail[rest] = '\n';
    d->origin = tail;
    d->bias = (int64_t)start;
    d->limit = tail + rest + 1;
    return lines(d, tail, tail + rest + 1);
}

static void release(State *d)
{
    for (size_t i = 0; i < d->n_nodes; i++) {
        Node *node = d->nodes[i];
        without_cells(d, node);
        free(node->words);
    }
    for (size_t i = 0; i < d->n_tails; i++)
        free(d->tails[i]);
    for (Chunk *chunk = d->arena, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(d->nodes), free(d->columns), free(d->order), free(d->fresh), free(d->beyond), free(d->keys.entries), free(d->words.entries), free(d->lines), free(d->offsets);
    free(d->spans), free(d->bad), free(d->hard), free(d->touched), free(d->scratch), free(d->tails);
}

/* ------------------------------------------------------------------------------ for Python */

/* Memory that Python owns from now on, for numpy.frombuffer. */
typedef struct { PyObject_HEAD void *data; Py_ssize_t size; size_t room; int kind; } Block;
typedef struct { PyObject *block; uint64_t seed; Pool pool; } Module;

static int block_buffer(PyObject *self, Py_buffer *view, int flags)
{
    static char nothing[8];
    Block *block = (Block *)self;
    return PyBuffer_FillInfo(view, self, block->data ? block->data : nothing, block->size, 0, flags);
}

static void block_free(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release_object = (freefunc)PyType_GetSlot(type, Py_tp_free);
    Block *block = (Block *)self;
    Module *own = PyType_GetModuleState(type);
    if (own)
        give_back(&own->pool, block->kind, block->data, block->room);
    else
        free(block->data);
    release_object(self);
    Py_DECREF(type);
}

static PyType_Slot block_slots[] = {
    {Py_tp_dealloc, block_free}, {Py_bf_getbuffer, block_buffer}, {0, NULL}};
static PyType_Spec block_spec = {
    "_jsonlines.Block", sizeof(Block), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, block_slots};

/* Hand an array over; the pointer becomes NULL. */
static PyObject *hand_over(PyObject *type, void *pointer, size_t n, int kind, size_t room)
{
    void *none = NULL;
    Block *block = PyObject_New(Block, (PyTypeObject *)type);
    if (!block)
        return NULL;
    memcpy(&block->data, pointer, sizeof block->data);
    memcpy(pointer, &none, sizeof none);
    block->size = (Py_ssize_t)(n * ELEMENT[kind]);
    block->kind = kind;
    block->room = room;
    return (PyObject *)block;
}

static PyObject *path_of(State *d, Node *node)
{
    Py_ssize_t depth = 0;
    for (Node *at = node; at != d->root; at = at->parent)
        depth++;
    PyObject *path = PyTuple_New(depth);
    for (Node *at = node; path && at != d->root; at = at->parent) {
        PyObject *text = PyUnicode_DecodeUTF8(at->key, at->key_len, "surrogatepass");
        if (!text || PyTuple_SetItem(path, --depth, text))
            Py_CLEAR(path);
    }
    return path;
}

static PyObject *words_of(Node *node)
{
    PyObject *list = PyList_New((Py_ssize_t)node->n_words);
    for (size_t i = 0; list && i < node->n_words; i++) {
        Word *w = &node->words[i];
        PyObject *text = node->raw ? PyBytes_FromStringAndSize(w->s, w->len)
                                   : PyUnicode_DecodeUTF8(w->s, w->len, "surrogatepass");
        if (!text || PyList_SetItem(list, (Py_ssize_t)i, text))
            Py_CLEAR(list);
    }
    return list;
}

static PyObject *column_of(State *d, PyObject *type, Node *node)
{
    unsigned seen = 0;
    for (size_t i = 0; i < node->n; i++)
        seen |= 1u << node->kinds[i];
    PyObject *path = path_of(d, node), *words = words_of(node);
    if (!path || !words) {
        Py_XDECREF(path);
        Py_XDECREF(words);
        return NULL;
    }
    return Py_BuildValue("(NINNNN)", path, seen, hand_over(type, &node->values, node->n, 2, node->room[2]),
                         hand_over(type, &node->rows, node->n, 1, node->room[1]),
                         hand_over(type, &node->kinds, node->n, 0, node->room[0]), words);
}

/* Numbers that were left to Python, which rounds as float() does. */
static bool settle(State *d)
{
    for (size_t i = 0; i < d->n_hard; i++) {
        Hard *h = &d->hard[i];
        if (!h->len)
            continue;
        char small[64], *text = h->len < sizeof small ? small : malloc(h->len + 1);
        if (!text)
            return PyErr_NoMemory(), false;
        memcpy(text, h->s, h->len);
        text[h->len] = '\0';
        double value = PyOS_string_to_double(text, NULL, NULL);
        if (text != small)
            free(text);
        if (value == -1.0 && PyErr_Occurred())
            return false;
        h->node->values[h->cell] = value;
        if (h->node->kinds[h->cell] == FLOAT && (value == Py_HUGE_VAL || value == -Py_HUGE_VAL))
            h->node->kinds[h->cell] = value > 0 ? INF_WORD : NINF_WORD;
    }
    return true;
}

static PyObject *order_of(State *d, size_t start, size_t stop)
{
    PyObject *order = PyTuple_New((Py_ssize_t)(stop - start));
    for (size_t i = start; order && i < stop; i++) {
        PyObject *column = PyLong_FromUnsignedLong(d->order[i]->column);
        if (!column || PyTuple_SetItem(order, (Py_ssize_t)(i - start), column))
            Py_CLEAR(order);
    }
    return order;
}

static PyObject *result(State *d, PyObject *type, int64_t **ends, const size_t *order_ends, size_t n_files)
{
    PyObject *columns = PyList_New(0), *bad = PyList_New(0), *left_out = PyList_New(0), *item = NULL;
    PyObject *orders = PyList_New(0);
    if (!columns || !bad || !left_out || !orders)
        goto error;
    for (size_t i = 0; i < n_files; i++) {
        item = order_of(d, i ? order_ends[i - 1] : 0, order_ends[i]);
        if (!item || PyList_Append(orders, item))
            goto error;
        Py_CLEAR(item);
    }
    for (size_t i = 0; i < d->n_columns; i++) {
        item = column_of(d, type, d->columns[i]);
        if (!item || PyList_Append(columns, item))
            goto error;
        Py_CLEAR(item);
    }
    for (size_t i = 0; i < d->n_bad; i++) {
        Bad *b = &d->bad[i];
        item = Py_BuildValue("(LLLL)", (long long)b->file, (long long)b->line, (long long)b->start, (long long)b->stop);
        if (!item || PyList_Append(bad, item))
            goto error;
        Py_CLEAR(item);
    }
    for (size_t i = 0; i < d->n_beyond; i++) {
        Node *node = d->beyond[i];
        item = Py_BuildValue("(NL)", path_of(d, node), (long long)node->left_out - 1);
        if (!item || PyList_Append(left_out, item))
            goto error;
        Py_CLEAR(item);
    }
    return Py_BuildValue("(nNNNNNNNNN)", (Py_ssize_t)d->n_rows, hand_over(type, &d->lines, d->n_rows, 1, d->cap_lines),
                         hand_over(type, &d->offsets, d->n_rows, 2, d->cap_offsets),
                         hand_over(type, ends, n_files, 2, n_files), orders, columns,
                         hand_over(type, &d->spans, d->n_spans * 2, 2, d->cap_spans), bad,
                         left_out, PyBool_FromLong(d->taken_back));
error:
    Py_XDECREF(item);
    Py_XDECREF(orders);
    Py_XDECREF(columns);
    Py_XDECREF(bad);
    Py_XDECREF(left_out);
    return NULL;
}

/* Set what holds for top-level keys: that they are kept whole, or that they are always columns. */
static bool name_keys(State *d, PyObject *names, bool is_raw)
{
    PyObject *iterator = PyObject_GetIter(names), *name;
    if (!iterator)
        return false;
    while ((name = PyIter_Next(iterator))) {
        PyObject *bytes = PyUnicode_AsEncodedString(name, "utf-8", "surrogatepass");
        Py_DECREF(name);
        if (!bytes)
            break;
        const char *s = PyBytes_AsString(bytes);
        uint32_t len = (uint32_t)PyBytes_Size(bytes);
        Node *node = node_of(d, d->root, s, len, is_plain(s, len));
        Py_DECREF(bytes);
        if (!node) {
            PyErr_NoMemory();
            break;
        }
        *(is_raw ? &node->raw : &node->always) = true;
    }
    Py_DECREF(iterator);
    return !PyErr_Occurred();
}

static PyObject *decode(PyObject *module, PyObject *args)
{
    PyObject *given, *raw, *always, *made = NULL;
    Node root = {0};
    State d = {.root = &root};
    Py_ssize_t columns;
    long long depth, line_bytes, digits;
    if (!PyArg_ParseTuple(args, "OOOnLLL", &given, &raw, &always, &columns, &depth, &line_bytes, &digits))
        return NULL;
    Module *own = PyModule_GetState(module);
    PyObject *files = PySequence_Tuple(given);
    if (!files)
        return NULL;
    d.pool = malloc(sizeof(Pool));
    d.seed = own->seed;
    d.most_columns = columns > 0 ? (size_t)columns : 0;
    d.depth = depth < MAX_DEPTH ? depth : MAX_DEPTH;
    d.line_bytes = line_bytes;
    d.digits = digits;
    size_t n = (size_t)PyTuple_Size(files), held = 0;
    Py_buffer *views = calloc(n ? n : 1, sizeof *views);
    int64_t *ends = calloc(n ? n : 1, sizeof *ends);
    size_t *order_ends = calloc(n ? n : 1, sizeof *order_ends), began = 0;
    bool sound = true;
    if (!views || !ends || !order_ends || !d.pool) {
        PyErr_NoMemory();
        goto done;
    }
    *d.pool = own->pool; /* whoever comes meanwhile finds it empty */
    memset(&own->pool, 0, sizeof own->pool);
    for (; held < n; held++)
        if (PyObject_GetBuffer(PyTuple_GetItem(files, (Py_ssize_t)held), &views[held], PyBUF_SIMPLE))
            goto done;
    if (!name_keys(&d, raw, true) || !name_keys(&d, always, false))
        goto done;
    Py_BEGIN_ALLOW_THREADS
    for (size_t i = 0; sound && i < n; i++) {
        d.file = (int64_t)i;
        sound = decode_file(&d, views[i].buf, (size_t)views[i].len);
        ends[i] = (int64_t)d.n_rows;
        order_ends[i] = d.n_order;
        for (; began < d.n_order; began++)
            d.order[began]->capacity = 0; /* it begins again with its first cell in another file */
    }
    Py_END_ALLOW_THREADS
    if (d.too_long)
        PyErr_SetString(PyExc_OverflowError, "more than 2,147,483,647 lines at once");
    else if (!sound)
        PyErr_NoMemory();
    else if (settle(&d))
        made = result(&d, own->block, &ends, order_ends, n);
done:
    while (held)
        PyBuffer_Release(&views[--held]);
    free(views);
    free(ends);
    free(order_ends);
    release(&d);
    for (int kind = 0; d.pool && kind < 3; kind++)
        while (d.pool->n[kind]) {
            Spare spare = d.pool->of[kind][--d.pool->n[kind]];
            give_back(&own->pool, kind, spare.data, spare.room);
        }
    free(d.pool);
    Py_DECREF(files);
    return made;
}

static int set_up(PyObject *module)
{
    Module *own = PyModule_GetState(module);
    PyObject *kinds = PyTuple_New(N_KINDS);
    for (int i = 0; kinds && i < N_KINDS; i++)
        if (PyTuple_SetItem(kinds, i, PyUnicode_FromString(KINDS[i])))
            Py_CLEAR(kinds);
    if (!kinds || PyModule_AddObjectRef(module, "KINDS", kinds))
        return -1;
    Py_DECREF(kinds);
    /* Of a text, hashes are random in each process. */
    PyObject *name = PyModule_GetNameObject(module);
    if (!name)
        return -1;
    own->seed = ((uint64_t)PyObject_Hash(name) * 0x9e3779b97f4a7c15u) | 1;
    Py_DECREF(name);
    own->block = PyType_FromModuleAndSpec(module, &block_spec, NULL);
    return own->block ? 0 : -1;
}

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    Module *own = PyModule_GetState(module);
    Py_VISIT(own->block);
    return 0;
}

static int clear(PyObject *module)
{
    Module *own = PyModule_GetState(module);
    Py_CLEAR(own->block);
    for (int kind = 0; kind < 3; kind++)
        while (own->pool.n[kind])
            free(own->pool.of[kind][--own->pool.n[kind]].data);
    return 0;
}

static PyMethodDef methods[] = {
    {"decode", decode, METH_VARARGS, "JSON lines to columns."},
    {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{Py_mod_exec, set_up}, {0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_jsonlines", NULL, sizeof(Module), methods, slots, traverse, clear, NULL};

PyMODINIT_FUNC PyInit__jsonlines(void)
{
    return PyModuleDef_Init(&definition);
}

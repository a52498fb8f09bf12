#include "config.h"

#include "link/contact_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { DIGITS_MAX = 18, POWER_MAX = 300, DAY_MS = 86400000 };

/* --- Messages --- */

int
sf_contact_fail(struct sf_contact_error *ret_error, int status, const char *name, unsigned int line,
    const char *format, ...)
{
    va_list arguments;
    size_t used;

    if (line == 0) {
        snprintf(ret_error->text, sizeof(ret_error->text), "%.200s: ", name);
    } else {
        snprintf(ret_error->text, sizeof(ret_error->text), "%.200s:%u: ", name, line);
    }
    used = strlen(ret_error->text);
    va_start(arguments, format);
    vsnprintf(ret_error->text + used, sizeof(ret_error->text) - used, format, arguments);
    va_end(arguments);
    ret_error->line = line;
    /* What was quoted may be anything: keep the message one line of plain text. */
    for (char *c = ret_error->text; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || (unsigned char)*c > '~') {
            *c = '?';
        }
    }
    return status;
}

struct sf_contact_shown
sf_contact_show(struct sf_view text)
{
    struct sf_contact_shown shown;
    size_t bytes = text.bytes < sizeof(shown.text) ? text.bytes : sizeof(shown.text) - 1;

    for (size_t i = 0; i < bytes; i++) {
        shown.text[i] = text.data[i] == '\0' ? '?' : (char)text.data[i];
    }
    shown.text[bytes] = '\0';
    return shown;
}

/* --- Lines and words --- */

bool
sf_contact_line(struct sf_view *text, struct sf_view *ret_line)
{
    const uint8_t *newline;
    size_t bytes;

    if (text->bytes == 0) {
        return false;
    }
    newline = memchr(text->data, '\n', text->bytes);
    bytes = newline == NULL ? text->bytes : (size_t)(newline - text->data);
    *ret_line = sf_view(text->data, bytes);
    if (newline != NULL) {
        bytes++;
    }
    *text = sf_view(text->data + bytes, text->bytes - bytes);
    if (ret_line->bytes > 0 && ret_line->data[ret_line->bytes - 1] == '\r') {
        ret_line->bytes--;
    }
    return true;
}

static bool
is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

bool
sf_contact_word(struct sf_view *line, struct sf_view *ret_word)
{
    size_t begin = 0;
    size_t end;

    while (begin < line->bytes && is_blank(line->data[begin])) {
        begin++;
    }
    end = begin;
    while (end < line->bytes && !is_blank(line->data[end])) {
        end++;
    }
    *ret_word = sf_view(line->data + begin, end - begin);
    *line = sf_view(line->data + end, line->bytes - end);
    return end > begin;
}

struct sf_view
sf_contact_trim(struct sf_view text)
{
    while (text.bytes > 0 && is_blank(text.data[0])) {
        text = sf_view(text.data + 1, text.bytes - 1);
    }
    while (text.bytes > 0 && is_blank(text.data[text.bytes - 1])) {
        text.bytes--;
    }
    return text;
}

bool
sf_contact_is(struct sf_view text, const char *word)
{
    return text.bytes == strlen(word) && sf_contact_begins(text, word);
}

bool
sf_contact_begins(struct sf_view text, const char *begin)
{
    size_t bytes = strlen(begin);

    return text.bytes >= bytes && (bytes == 0 || memcmp(text.data, begin, bytes) == 0);
}

/* --- Numbers --- */

static bool
is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

bool
sf_contact_integer(struct sf_view text, uint64_t max, uint64_t *ret_value)
{
    return memchr(text.data == NULL ? (const uint8_t *)"" : text.data, '.', text.bytes) == NULL &&
           sf_contact_decimal(text, 0, max, ret_value);
}

bool
sf_contact_decimal(struct sf_view text, unsigned int decimals, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;
    unsigned int places = 0;
    bool after_point = false;

    if (text.bytes == 0 || !is_digit(text.data[0]) || !is_digit(text.data[text.bytes - 1])) {
        return false;
    }
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.data[i] == '.' && !after_point) {
            after_point = true;
            continue;
        }
        if (!is_digit(text.data[i]) || (after_point && places++ == decimals) ||
            __builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.data[i] - '0'), &value)) {
            return false;
        }
    }
    for (; places < decimals; places++) {
        if (__builtin_mul_overflow(value, UINT64_C(10), &value)) {
            return false;
        }
    }
    if (value > max) {
        return false;
    }
    *ret_value = value;
    return true;
}

static double
power_of_ten(int power)
{
    double result = 1;
    double base = 10;

    for (; power > 0; power /= 2, base *= base) {
        if (power % 2 != 0) {
            result *= base;
        }
    }
    return result;
}

/* The exponent after a number: e or E, a sign if any, digits. */
static bool
read_exponent(struct sf_view text, int *ret_exponent)
{
    uint64_t value;
    bool negative;

    if (text.bytes < 2 || (text.data[0] != 'e' && text.data[0] != 'E')) {
        return false;
    }
    negative = text.data[1] == '-';
    text = sf_view(text.data + 1, text.bytes - 1);
    if (negative || text.data[0] == '+') {
        text = sf_view(text.data + 1, text.bytes - 1);
    }
    if (!sf_contact_integer(text, POWER_MAX, &value)) {
        return false;
    }
    *ret_exponent = negative ? -(int)value : (int)value;
    return true;
}

bool
sf_contact_real(struct sf_view text, double *ret_value)
{
    uint64_t mantissa = 0;
    int exponent = 0;
    int places = 0;
    int digits = 0;
    bool any = false;
    bool after_point = false;
    bool negative;
    size_t i = 0;
    double value;

    if (text.bytes == 0) {
        return false;
    }
    negative = text.data[0] == '-';
    if (negative || text.data[0] == '+') {
        i++;
    }
    for (; i < text.bytes && (is_digit(text.data[i]) || text.data[i] == '.'); i++) {
        if (text.data[i] == '.') {
            if (after_point) {
                return false;
            }
            after_point = true;
            continue;
        }
        any = true;
        places += after_point;
        mantissa = mantissa * 10 + (uint64_t)(text.data[i] - '0');
        digits += mantissa != 0;
        if (digits > DIGITS_MAX || places > DIGITS_MAX) {
            return false;
        }
    }
    if (!any ||
        (i < text.bytes && !read_exponent(sf_view(text.data + i, text.bytes - i), &exponent))) {
        return false;
    }
    exponent -= places;
    value = exponent < 0 ? (double)mantissa / power_of_ten(-exponent)
                         : (double)mantissa * power_of_ten(exponent);
    *ret_value = negative ? -value : value;
    return true;
}

/* --- Dates --- */

/* Days from 1 March of the year 0 to 1 January 1970, and in a cycle of 400 years. */
enum { DAYS_TO_1970 = 719468, CYCLE_DAYS = 146097 };

static bool
is_leap(unsigned int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

bool
sf_contact_days(unsigned int year, unsigned int month, unsigned int day, int64_t *ret_days)
{
    static const unsigned int lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned int from_march;

    if (year < 1900 || year > 9999 || month < 1 || month > 12 || day < 1 ||
        day > lengths[month - 1] + (month == 2 && is_leap(year))) {
        return false;
    }
    /* Years that begin in March have their leap day at the end. */
    from_march = (month + 9) % 12;
    year -= month <= 2;
    *ret_days = (int64_t)year * 365 + year / 4 - year / 100 + year / 400 +
                (from_march * 306 + 5) / 10 + day - 1 - DAYS_TO_1970;
    return true;
}

struct sf_contact_date
sf_contact_date_of(struct sf_wall t)
{
    struct sf_contact_date date;
    int64_t day = t.ms / DAY_MS - (t.ms % DAY_MS < 0);
    uint32_t second = (uint32_t)((t.ms - day * DAY_MS) / 1000);
    int64_t since = day + DAYS_TO_1970;
    int64_t cycle = since / CYCLE_DAYS;
    uint32_t in_cycle = (uint32_t)(since - cycle * CYCLE_DAYS);
    uint32_t year =
        (in_cycle - in_cycle / 1460 + in_cycle / 36524 - in_cycle / (CYCLE_DAYS - 1)) / 365;
    uint32_t in_year = in_cycle - (365 * year + year / 4 - year / 100);
    uint32_t from_march = (5 * in_year + 2) / 153;

    date.day = in_year - (153 * from_march + 2) / 5 + 1;
    date.month = from_march < 10 ? from_march + 3 : from_march - 9;
    date.year = (unsigned int)cycle * 400 + year + (date.month <= 2);
    date.hour = second / 3600;
    date.minute = second / 60 % 60;
    date.second = second % 60;
    return date;
}

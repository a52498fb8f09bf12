#include "app/unlock.h"

#include "base/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define CREDENTIAL "skyferry.passphrase"

/* --- Where a passphrase comes from ------------------------------------------------ */

/* All that comes from `fd`, at most the limit, without one line end. */
static int
read_passphrase(int fd, const char *from, char *ret_passphrase, struct sf_app_error *error)
{
    size_t bytes = 0;

    for (;;) {
        ssize_t got = read(fd, ret_passphrase + bytes, SF_PASSPHRASE_BYTES_MAX + 1 - bytes);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return sf_app_error_set(
                error, SF_EIO, "cannot read the passphrase from %s: %s", from, strerror(errno));
        }
        bytes += (size_t)got;
        if (got == 0 || bytes > SF_PASSPHRASE_BYTES_MAX) {
            break;
        }
    }
    if (bytes > 0 && bytes <= SF_PASSPHRASE_BYTES_MAX && ret_passphrase[bytes - 1] == '\n') {
        bytes--;
    }
    ret_passphrase[bytes <= SF_PASSPHRASE_BYTES_MAX ? bytes : 0] = '\0';
    if (bytes > SF_PASSPHRASE_BYTES_MAX || strlen(ret_passphrase) != bytes) {
        return sf_app_error_set(error, SF_EINVAL,
            "the passphrase from %s is longer than %d bytes or holds a zero byte", from,
            SF_PASSPHRASE_BYTES_MAX);
    }
    return SF_OK;
}

static int
read_file(const char *path, char *ret_passphrase, struct sf_app_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int status;

    if (fd < 0) {
        return sf_app_error_set(
            error, SF_EIO, "cannot read the passphrase from %s: %s", path, strerror(errno));
    }
    status = read_passphrase(fd, path, ret_passphrase, error);
    close(fd);
    return status;
}

/* One line of the terminal, unseen. */
static int
ask(const char *prompt, char *ret_passphrase, struct sf_app_error *error)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct termios before;
    struct termios silent;
    ssize_t got;

    if (fd < 0 || tcgetattr(fd, &before) != 0) {
        if (fd >= 0) {
            close(fd);
        }
        return sf_app_error_set(error, SF_EAUTH,
            "a passphrase is needed, and there is no terminal to ask: name a file with it in "
            "SKYFERRY_PASSPHRASE_FILE, or hand systemd a credential " CREDENTIAL);
    }
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    (void)tcsetattr(fd, TCSAFLUSH, &silent);
    (void)dprintf(fd, "%s: ", prompt);
    do {
        got = read(fd, ret_passphrase, SF_PASSPHRASE_BYTES_MAX + 1);
    } while (got < 0 && errno == EINTR);
    (void)dprintf(fd, "\n");
    (void)tcsetattr(fd, TCSAFLUSH, &before);
    close(fd);
    if (got > 0 && ret_passphrase[got - 1] == '\n') {
        got--;
    }
    if (got < 0 || got > SF_PASSPHRASE_BYTES_MAX) {
        return sf_app_error_set(error, SF_EINVAL, "the passphrase could not be read");
    }
    ret_passphrase[got] = '\0';
    return SF_OK;
}

static int
find_passphrase(char *ret_passphrase, struct sf_app_error *error)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    const char *file = getenv("SKYFERRY_PASSPHRASE_FILE");
    char path[SF_HOME_PATH_BYTES_MAX + 1];

    if (credentials != NULL && strlen(credentials) + sizeof(CREDENTIAL) < sizeof(path)) {
        (void)snprintf(path, sizeof(path), "%s/" CREDENTIAL, credentials);
        if (access(path, F_OK) == 0) {
            return read_file(path, ret_passphrase, error);
        }
    }
    if (file != NULL) {
        return read_file(file, ret_passphrase, error);
    }
    return ask("Passphrase of this node", ret_passphrase, error);
}

/* --- The master key ---------------------------------------------------------------- */

static int
open_master(struct sf_view file, uint8_t *master, struct sf_app_error *error)
{
    char *passphrase = sf_secret_alloc(SF_PASSPHRASE_BYTES_MAX + 1);
    int status = SF_OK;

    if (passphrase == NULL) {
        return sf_app_error_set(error, SF_ENOMEM, "no memory that can be locked for a passphrase");
    }
    if (!sf_master_is_bare(file)) {
        status = find_passphrase(passphrase, error);
    }
    if (status == SF_OK) {
        status = sf_master_decode(file, sf_view(passphrase, strlen(passphrase)), master);
        if (status == SF_EAUTH) {
            (void)sf_app_error_set(error, status,
                "the passphrase does not open the home's file %s: it is another, or the file is "
                "damaged",
                SF_HOME_MASTER);
        } else if (status != SF_OK) {
            (void)sf_app_error_set(error, status,
                "the home's file %s cannot be used (%s): restore it from a backup", SF_HOME_MASTER,
                sf_status_text(status));
        }
    }
    sf_secret_free(passphrase);
    return status;
}

int
sf_unlock_master(const struct sf_home *home, uint8_t **ret_master, struct sf_app_error *error)
{
    uint8_t file[SF_MASTER_FILE_BYTES];
    const struct sf_home_read read = {
        .name = SF_HOME_MASTER, .is_secret = true, .out = file, .bytes_max = sizeof(file)};
    uint8_t *master = NULL;
    size_t bytes = 0;
    int status = sf_home_read_file(home, &read, &bytes, error);

    if (status == SF_ENOENT) {
        *ret_master = NULL;
        return SF_OK;
    }
    if (status == SF_OK) {
        master = sf_secret_alloc(SF_MASTER_BYTES);
        status = master == NULL
                     ? sf_app_error_set(error, SF_ENOMEM, "no memory that can be locked for keys")
                     : open_master(sf_view(file, bytes), master, error);
    }
    sf_wipe(file, sizeof(file));
    if (status != SF_OK) {
        sf_secret_free(master);
        return status;
    }
    *ret_master = master;
    return SF_OK;
}

int
sf_unlock_identity(const struct sf_home *home, const uint8_t *master,
    struct sf_identity **ret_identity, struct sf_app_error *error)
{
    uint8_t file[SF_IDENTITY_SEALED_BYTES_MAX];
    const struct sf_home_read read = {
        .name = SF_HOME_KEYS, .is_secret = true, .out = file, .bytes_max = sizeof(file)};
    size_t bytes = 0;
    int status = sf_home_read_file(home, &read, &bytes, error);

    if (status == SF_OK) {
        status = sf_identity_decode_sealed(sf_view(file, bytes), master, ret_identity);
        if (status == SF_ESTATE) {
            status = sf_app_error_set(error, SF_EAUTH,
                "%s/%s is sealed and the file %s is not there; restore it from a backup",
                home->path, SF_HOME_KEYS, SF_HOME_MASTER);
        } else if (status != SF_OK) {
            status = sf_app_error_set(error, SF_EFORMAT,
                "%s/%s is damaged (%s); restore it from a backup", home->path, SF_HOME_KEYS,
                sf_status_text(status));
        }
    }
    sf_wipe(file, sizeof(file));
    return status;
}

/* --- A new one ---------------------------------------------------------------------- */

static int
ask_twice(char *passphrase, struct sf_app_error *error)
{
    char *again = sf_secret_alloc(SF_PASSPHRASE_BYTES_MAX + 1);
    int status;

    if (again == NULL) {
        return sf_app_error_set(error, SF_ENOMEM, "no memory that can be locked for a passphrase");
    }
    status = ask("New passphrase", passphrase, error);
    if (status == SF_OK) {
        status = ask("The same again", again, error);
    }
    if (status == SF_OK && strcmp(passphrase, again) != 0) {
        status = sf_app_error_set(error, SF_EINVAL, "these were two different passphrases");
    }
    sf_secret_free(again);
    return status;
}

int
sf_unlock_new(const char *file, char **ret_passphrase, struct sf_app_error *error)
{
    char *passphrase = sf_secret_alloc(SF_PASSPHRASE_BYTES_MAX + 1);
    int status;

    if (passphrase == NULL) {
        return sf_app_error_set(error, SF_ENOMEM, "no memory that can be locked for a passphrase");
    }
    if (file == NULL) {
        status = ask_twice(passphrase, error);
    } else if (strcmp(file, "-") == 0) {
        status = read_passphrase(STDIN_FILENO, "standard input", passphrase, error);
    } else {
        status = read_file(file, passphrase, error);
    }
    if (status == SF_OK && passphrase[0] == '\0') {
        status = sf_app_error_set(error, SF_EINVAL, "the passphrase is empty");
    }
    if (status != SF_OK) {
        sf_secret_free(passphrase);
        return status;
    }
    *ret_passphrase = passphrase;
    return SF_OK;
}

int
sf_unlock_save(const struct sf_home *home, const uint8_t *master, const char *passphrase,
    struct sf_app_error *error)
{
    uint8_t file[SF_MASTER_FILE_BYTES];
    int status =
        sf_master_encode(master, sf_view(passphrase, strlen(passphrase)), &sf_random_system, file);

    if (status != SF_OK) {
        return sf_app_error_set(error, status,
            "the master key cannot be sealed: %s (a passphrase takes 64 MiB of memory)",
            sf_status_text(status));
    }
    status = sf_home_write_file(home,
        &(struct sf_home_write){.name = SF_HOME_MASTER, .content = {file, sizeof(file)}}, error);
    sf_wipe(file, sizeof(file));
    return status;
}

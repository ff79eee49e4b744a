/* A disk that fails, for one SQLite file, between the service and the system (LD_PRELOAD). A shared page of numbers says how:
 * the harness writes it, and reads what it must know to cut the power (databases/disk.mjs). */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SYNC_ERRNO, WRITE_ERRNO, KILL_AT_DATABASE, KILL_AT_LOG, SYNCS };
enum { NONE, DATABASE, LOG, KINDS };

/* What was there before a write that the disk has not been told to keep. */
struct undo {
  int64_t kind, offset, length, size;
};

static volatile int32_t *control;
static const char *file;
static int undo_log = -1;
static int unsynced[KINDS];

static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static ssize_t (*real_write)(int, const void *, size_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

__attribute__((constructor)) static void begin(void) {
  real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  real_write = dlsym(RTLD_NEXT, "write");
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  const char *name = getenv("CHAOS_DISK_CONTROL");
  file = getenv("CHAOS_DISK_FILE");
  if (!name || !file) return;
  int fd = open(name, O_RDWR);
  if (fd < 0) return;
  void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page != MAP_FAILED) control = page;
  const char *log = getenv("CHAOS_DISK_UNDO");
  if (log) undo_log = open(log, O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
}

static int kind_of(int fd) {
  char link[64], path[4096];
  if (!control) return NONE;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return NONE;
  path[length] = 0;
  size_t own = strlen(file);
  if (strncmp(path, file, own) != 0) return NONE;
  if (path[own] == 0) return DATABASE;
  return strcmp(path + own, "-wal") == 0 || strcmp(path + own, "-journal") == 0 ? LOG : NONE;
}

static void note(int fd, int kind, off64_t offset, size_t length) {
  if (undo_log < 0) return;
  struct stat64 now;
  if (fstat64(fd, &now) != 0) return;
  struct undo record = {kind, offset, (int64_t)length, now.st_size};
  char *bytes = malloc(sizeof record + length);
  ssize_t had = pread64(fd, bytes + sizeof record, length, offset);
  record.length = had > 0 ? had : 0;
  memcpy(bytes, &record, sizeof record);
  real_write(undo_log, bytes, sizeof record + record.length);
  free(bytes);
  unsynced[kind] += 1;
}

static ssize_t written(int fd, const void *bytes, size_t length, off64_t offset) {
  int kind = kind_of(fd);
  if (kind != NONE) {
    if (control[WRITE_ERRNO]) {
      errno = control[WRITE_ERRNO];
      return -1;
    }
    note(fd, kind, offset, length);
    volatile int32_t *left = &control[kind == DATABASE ? KILL_AT_DATABASE : KILL_AT_LOG];
    if (*left > 0 && --*left == 0) {
      real_pwrite(fd, bytes, length / 2, offset); /* A torn page. */
      kill(getpid(), SIGKILL);
    }
  }
  return real_pwrite(fd, bytes, length, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) { return written(fd, bytes, length, offset); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return written(fd, bytes, length, offset); }

static int synced(int fd, int (*sync)(int)) {
  int kind = kind_of(fd);
  if (kind == NONE) return sync(fd);
  if (control[SYNC_ERRNO]) {
    errno = control[SYNC_ERRNO];
    return -1;
  }
  control[SYNCS] += 1;
  int result = sync(fd);
  if (undo_log >= 0 && result == 0) {
    struct undo record = {-kind, 0, 0, 0};
    unsynced[kind] = 0;
    if (unsynced[DATABASE] + unsynced[LOG] == 0) ftruncate64(undo_log, 0);
    else real_write(undo_log, &record, sizeof record);
  }
  return result;
}

int fsync(int fd) { return synced(fd, real_fsync); }
int fdatasync(int fd) { return synced(fd, real_fdatasync); }

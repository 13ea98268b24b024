import { allow } from './rule.ts'
import type { ProfileRule } from '../profile.ts'

/** Files and directories. Permissions are judged by the kernel; a filter cannot see paths. */
export const files: readonly ProfileRule[] = [
  // Opening, closing, descriptors.
  allow([
    'close', 'close_range', 'creat', 'dup', 'dup2', 'dup3', 'fcntl', 'fcntl64', 'flock', 'ioctl', 'name_to_handle_at', 'open', 'openat',
    'openat2',
  ]),
  // Reading and writing.
  allow([
    'copy_file_range', 'fadvise64', 'fadvise64_64', 'fallocate', 'fdatasync', 'fsync', 'ftruncate', 'ftruncate64', '_llseek', 'lseek',
    'pread64', 'preadv', 'preadv2', 'pwrite64', 'pwritev', 'pwritev2', 'read', 'readahead', 'readv', 'sendfile', 'sendfile64', 'splice',
    'sync', 'sync_file_range', 'syncfs', 'tee', 'truncate', 'truncate64', 'vmsplice', 'write', 'writev',
  ]),
  // Looking things up.
  allow([
    'access', 'faccessat', 'faccessat2', 'fstat', 'fstat64', 'fstatat64', 'fstatfs', 'fstatfs64', 'getcwd', 'getdents', 'getdents64',
    'listmount', 'lstat', 'lstat64', 'newfstatat', 'stat', 'stat64', 'statfs', 'statfs64', 'statmount', 'statx', 'readlink', 'readlinkat',
  ]),
  // Owners, modes, times.
  allow([
    'chmod', 'chown', 'chown32', 'fchmod', 'fchmodat', 'fchmodat2', 'fchown', 'fchown32', 'fchownat', 'futimesat', 'lchown', 'lchown32',
    'umask', 'utime', 'utimensat', 'utimensat_time64', 'utimes',
  ]),
  // Extended attributes.
  allow([
    'fgetxattr', 'flistxattr', 'fremovexattr', 'fsetxattr', 'getxattr', 'getxattrat', 'lgetxattr', 'listxattr', 'listxattrat',
    'llistxattr', 'lremovexattr', 'lsetxattr', 'removexattr', 'removexattrat', 'setxattr', 'setxattrat',
  ]),
  // Names and directories.
  allow([
    'chdir', 'fchdir', 'link', 'linkat', 'mkdir', 'mkdirat', 'mknod', 'mknodat', 'rename', 'renameat', 'renameat2', 'rmdir', 'symlink',
    'symlinkat', 'unlink', 'unlinkat',
  ]),
  // Watching for changes. fanotify_init is with the privileged calls: without it a mark has no group.
  allow([
    'fanotify_mark', 'inotify_add_watch', 'inotify_init', 'inotify_init1', 'inotify_rm_watch',
  ]),
]

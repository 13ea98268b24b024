import type { BuildCase } from './cases.ts'

const base = 'FROM parity-busybox'
const withFiles = (files: NonNullable<BuildCase['files']>, ...lines: readonly string[]): BuildCase => ({ dockerfile: [base, ...lines].join('\n'), files })

const archives = { 'plain.tar': { archive: '' }, 'a.tar.gz': { archive: 'gzip' }, 'a.tar.bz2': { archive: 'bzip2' }, 'a.tar.zst': { archive: 'zstd' }, 'no.tar': 'a text that is called so\n' } as const
const nested = {
  'one/a.txt': 'a\n', 'one/sub/b.txt': 'b\n', 'one/sub/deep/c.md': 'c\n', 'two/a.txt': 'A\n', 'two/[x].txt': 'x\n', 'top.txt': 'top\n', 'top.md': 'top\n',
  script: { mode: 0o755, text: '#!/bin/sh\n' }, inward: { link: 'one/sub' }, 'links/dangling': { link: 'nowhere' }, 'links/up': { link: '../top.txt' }, absolute: { link: '/top.txt' },
} as const

/** Where files come from and where they go, at the edges. */
export const fileCases: Readonly<Record<string, BuildCase>> = {
  'add archives of every compression': withFiles(archives, 'ADD plain.tar /plain/', 'ADD a.tar.gz /gz/', 'ADD a.tar.bz2 /bz2/', 'ADD a.tar.zst /zst/'),
  'add an archive to a name': withFiles(archives, 'ADD a.tar.gz /name', 'ADD no.tar /dir/'),
  'add an archive over what is there': withFiles(archives, 'RUN mkdir -p -m 700 /d/sub && echo old > /d/x && ln -s /elsewhere /d/l && mkdir /elsewhere', 'ADD plain.tar /d'),
  'add an archive with an owner': withFiles(archives, 'ADD --chown=5:6 plain.tar /d/'),
  'add an archive with a mode': withFiles(archives, 'ADD --chmod=700 plain.tar /d/'),
  'add an archive as it is': withFiles({ 'no.tar': 'not one\n' }, 'ADD --unpack=false no.tar /d/', 'COPY no.tar /e/'),
  'add several, archives among them': withFiles(archives, 'ADD a.tar.gz no.tar /both/'),
  'copy hard links': withFiles({ first: 'same\n', second: { hardLink: 'first' }, 'dir/third': { hardLink: 'first' }, 'dir/alone': 'alone\n' }, 'COPY . /all/', 'COPY first second /two/'),
  'copy attributes from a stage': { dockerfile: `FROM scratch AS a
ADD plain.tar /
${base}
COPY --from=a / /c
COPY --from=a --chown=5 /x /own
COPY --from=a --chmod=700 /sub /mod`, files: { 'plain.tar': { archive: '', xattrs: true } } },
  'copy setuid, setgid and sticky': withFiles({ u: { mode: 0o4755, text: 'u\n' }, 'g/f': { mode: 0o2711, text: 'g\n' }, 'plain/f': 'f\n' }, 'COPY u /u', 'COPY --chown=5 u /owned', 'COPY g /g/', 'RUN mkdir -m 1777 /sticky && mkdir -m 2755 /setgid && chgrp 9 /setgid', 'COPY plain /sticky/', 'COPY plain /setgid/'),
  'copy setuid from a stage': { dockerfile: `${base} AS a\nRUN mkdir /o && touch /o/f && chown 3:4 /o/f && chmod 6755 /o/f\n${base}\nCOPY --from=a /o /o\nCOPY --from=a --chown=7:7 /o/f /owned\nCOPY --from=a --chmod=755 /o/f /moded` },
  'copy links of every kind': withFiles(nested, 'COPY inward /i/', 'COPY links /d/', 'COPY one/../top.txt /x', 'COPY ./one/./sub /s/'),
  'copy through a link of the context': withFiles(nested, 'COPY inward/b.txt /b', 'COPY inward/ /whole/', 'COPY absolute /abs'),
  'copy by patterns across directories': withFiles(nested, 'COPY */a.txt /first/', 'COPY o* /second/', 'COPY */sub /third/', 'COPY top.* /fourth/', 'COPY one/s?b/b.* /fifth/', 'COPY t[!w]* /sixth/'),
  'copy names that look like patterns': withFiles(nested, 'COPY two/[[]x].txt /x', 'COPY two/*.txt /all/'),
  'copy a directory whose name ends with a dot': withFiles(nested, 'COPY one/. /dot/', 'COPY one/sub/.. /up/', 'COPY /one /rooted'),
  'copy without some, by depth': withFiles(nested, 'COPY --exclude=**/*.md --exclude=two . /all/', 'COPY --exclude=one/sub . /more/', 'COPY --exclude=*.md top.* /named/'),
  'copy merges directories': withFiles({ 'd/new': 'n\n', 'd/sub/new': 'n\n', 'd/kept/': '' }, 'RUN mkdir -p -m 700 /d/sub && chmod 711 /d && chown 5:6 /d /d/sub && echo old > /d/old && echo old > /d/sub/old && mkdir -m 770 /d/kept', 'COPY d /d', 'COPY --chown=8 d /d/'),
  'copy merges directories with a mode': withFiles({ 'd/sub/new': 'n\n' }, 'RUN mkdir -p /d/sub && chown 5:6 /d /d/sub && echo old > /d/sub/old', 'COPY --chmod=700 d /d'),
  'copy a file over a link': withFiles({ f: 'new\n' }, 'RUN echo old > /target && ln -s /target /l', 'COPY f /l'),
  'copy a link over a file, and a file over one': withFiles({ 'd/l': { link: 'there' }, 'd/f': 'new\n' }, 'RUN mkdir /d && echo old > /d/l && ln -s /elsewhere /d/f && touch /elsewhere', 'COPY d /d/'),
  'copy where a directory was removed': withFiles({ 'd/new': 'n\n' }, 'RUN mkdir /d && touch /d/a /d/b', 'RUN rm -r /d', 'COPY d /d'),
  'copy with link where a directory was removed': withFiles({ 'd/new': 'n\n' }, 'RUN mkdir /d && touch /d/a /d/b', 'RUN rm -r /d', 'COPY --link d /d/'),
  'copy with link over a file': withFiles({ 'd/x': 'n\n' }, 'RUN echo old > /x && mkdir /y && touch /y/kept', 'COPY --link d/x /x', 'COPY --link d/x /y/'),
  'copy from a stage what was removed there': { dockerfile: `${base} AS a\nRUN mkdir -p /o/gone /o/kept && touch /o/gone/x /o/f\nRUN rm -r /o/gone && rm /o/f && mkdir /o/gone && touch /o/gone/y\n${base}\nCOPY --from=a /o /o` },
  'copy a whole stage': { dockerfile: `${base} AS a\nRUN rm -r /tmp && rm /bin/vi && echo x > /x && mkdir -m 1777 /tmp\nFROM scratch\nCOPY --from=a / /` },
  'copy to places with dots': withFiles(nested, 'WORKDIR /w/x', 'COPY top.txt ../up', 'COPY top.txt ./sub/../here', 'COPY top.txt ./', 'COPY one ../tree/', 'COPY top.md .'),
  'copy as a user keeps root': withFiles(nested, 'RUN mkdir /home && mkdir /home/u && chown 5:6 /home/u', 'USER 5:6', 'WORKDIR /home/u', 'COPY top.txt .', 'COPY one new/', 'COPY --chown=5 top.md deep/er/'),
  'copy with owners of numbers and names': withFiles({ f: 'x\n' }, 'RUN echo "svc:x:300:301::/:/bin/sh" >> /etc/passwd && echo "svc:x:301:" >> /etc/group && echo "other:x:77:" >> /etc/group', 'COPY --chown=svc f /1', 'COPY --chown=svc:other f /2', 'COPY --chown=300 f /3', 'COPY --chown=9:other f /4', 'COPY --chown=svc:5 f /5', 'COPY --chown=:7 f /6'),
  'copy with modes by letters': withFiles({ f: { mode: 0o640, text: 'x\n' }, x: { mode: 0o755, text: 'x\n' }, 'd/g': 'y\n' }, 'COPY --chmod=u=rwX,go=rX f x /1/', 'COPY --chmod=a+x f /2', 'COPY --chmod=go-rwx d /3/', 'COPY --chmod=u+s,g+s x /4', 'COPY --chmod=g=u f /5'),
  'copy with a mode of four digits': withFiles({ 'd/f': 'x\n' }, 'COPY --chmod=1777 d /d', 'COPY --chmod=4711 d/f /f', 'COPY --chmod=0 d/f /none'),
  'copy makes directories': withFiles({ 'd/f': 'x\n', 'd/s/g': 'y\n' }, 'COPY --chmod=0700 d /1/2/3', 'COPY --chmod=1777 d /4', 'COPY --chmod=0700 d/f /5/6/', 'COPY --chown=5:6 d /7/8/', 'COPY --chown=5:6 --chmod=770 d/f /9/10/x', 'COPY --chmod=0777 --link d /11/12', 'ADD --chmod=750 --chown=3 d /13/14', 'COPY --chmod=u-w d /15/'),
  'copy with a variable in owner and mode': withFiles({ f: 'x\n' }, 'ARG O=4:5', 'ENV M=700', 'COPY --chown=$O --chmod=$M f /f'),
  'dockerignore of everything but some': withFiles({ ...nested, '.dockerignore': '*\n!one\n!top.*\none/sub\n!one/sub/b.txt\n' }, 'COPY . /c/'),
  'dockerignore with spaces, slashes and dots': withFiles({ ...nested, '.dockerignore': '  /top.md  \n./two/\none/../top.txt\n\n#x\n**/deep/**\n' }, 'COPY . /c/'),
}

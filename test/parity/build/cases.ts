import { fileCases } from './file-cases.ts'
import { instructionCases } from './instruction-cases.ts'

/** One build that is compared with Docker's. */
export interface BuildCase {
  readonly dockerfile: string
  /** The context's files, by their paths; a name that ends with a slash is a directory. */
  readonly files?: Readonly<Record<string, CaseFile>>
  readonly args?: Readonly<Record<string, string>>
  readonly labels?: Readonly<Record<string, string>>
  readonly target?: string
}

/** Content, a link's target, another name of a file before it, an archive of a few files with this compression, or a file with another mode. */
export type CaseFile =
  | string
  | { readonly link: string }
  | { readonly hardLink: string }
  | { readonly archive: '' | 'gzip' | 'bzip2' | 'zstd'; readonly xattrs?: boolean }
  | { readonly mode: number; readonly text?: string }

const tree = { 'a.txt': 'a\n', 'b.md': 'b\n', 'dir/c.txt': 'c\n', 'dir/sub/d.txt': 'd\n', 'dir/sub/e.md': 'e\n', 'empty/': '', link: { link: 'a.txt' }, run: { mode: 0o755, text: '#!/bin/sh\n' }, private: { mode: 0o600, text: 'p\n' } } as const

const copy = (...lines: readonly string[]): BuildCase => ({ dockerfile: ['FROM parity-busybox', ...lines].join('\n'), files: tree })
const plain = (...lines: readonly string[]): BuildCase => ({ dockerfile: ['FROM parity-busybox', ...lines].join('\n') })

const firstCases: Readonly<Record<string, BuildCase>> = {
  'copy a file': copy('COPY a.txt /'),
  'copy a file to a name': copy('COPY a.txt /x/y/z'),
  'copy a file into a directory': copy('COPY a.txt /x/'),
  'copy two files': copy('COPY a.txt b.md /x/'),
  'copy a directory': copy('COPY dir /d'),
  'copy a directory with a slash': copy('COPY dir/ /d/'),
  'copy everything': copy('COPY . /all/'),
  'copy into the working directory': copy('WORKDIR /w', 'COPY a.txt .', 'COPY dir ./'),
  'copy by patterns': copy('COPY *.txt *.md /p/', 'COPY dir/*/*.md /q/'),
  'copy by a class': copy('COPY [ab].* /p/'),
  'copy a link': copy('COPY link /l/', 'COPY link /m'),
  'copy an empty directory': copy('COPY empty /e'),
  'copy keeps modes': copy('COPY run private /m/'),
  'copy over a file': copy('RUN mkdir /d && echo old > /d/c.txt', 'COPY dir /d'),
  'copy a directory over a link': copy('RUN mkdir /real && ln -s /real /ln', 'COPY dir /ln'),
  'copy a file through a link': copy('RUN mkdir /real && ln -s /real /ln', 'COPY a.txt /ln/'),
  'copy with an owner': copy('COPY --chown=7:8 dir /d'),
  'copy with an owner by name': copy('RUN echo "bob:x:12:13::/:/bin/sh" >> /etc/passwd && echo "staff:x:50:" >> /etc/group', 'COPY --chown=bob a.txt /1', 'COPY --chown=bob:staff a.txt /2', 'COPY --chown=12 a.txt /3'),
  'copy with a mode': copy('COPY --chmod=751 a.txt /1', 'COPY --chmod=0700 dir /d'),
  'copy as a user': copy('USER 5:6', 'COPY a.txt /home/x/'),
  'copy with link': copy('RUN mkdir /real && touch /real/old', 'COPY --link a.txt /real/a.txt', 'COPY --link dir /d/', 'COPY --link --chown=5 dir/c.txt /real/c'),
  'copy without some': copy('COPY --exclude=*.md --exclude=sub/d.txt dir /d'),
  'copy with exceptions': copy('COPY --exclude=sub --exclude=!sub/e.md dir /d'),
  'copy names with spaces': { dockerfile: 'FROM parity-busybox\nCOPY ["a b", "c d/", "/x y/"]', files: { 'a b': '1', 'c d/e f': '2' } },
  'copy variables': { dockerfile: 'FROM parity-busybox\nARG D=dir\nENV E=/out\nCOPY ${D} $E', files: tree },
  'copy an inline file': plain('COPY <<one <<"two" /x/', 'hello $HOME', 'one', 'keep $HOME', 'two'),
  'copy an inline file with tabs': plain('COPY <<-E /x', '\ta', '\t\tb', 'E'),
  'copy from a stage': { dockerfile: 'FROM parity-busybox AS a\nRUN mkdir /o && echo x > /o/x && chown 3:4 /o/x && chmod 640 /o/x\nFROM parity-busybox\nCOPY --from=a /o /o\nCOPY --from=0 --chown=9 /o/x /y' },
  'copy from an image': plain('COPY --from=parity-busybox /bin/sh /other/sh'),
  'copy to scratch': { dockerfile: 'FROM scratch\nCOPY . /\nCMD ["/run"]', files: tree },
  'dockerignore': { dockerfile: 'FROM parity-busybox\nCOPY . /c', files: { ...tree, '.dockerignore': '# c\n*.md\ndir/sub\n!dir/sub/e.md\n' } },
  'dockerignore of itself': { dockerfile: 'FROM parity-busybox\nCOPY . /c', files: { ...tree, '.dockerignore': 'Dockerfile\n.dockerignore\n**/*.txt\n' } },
  'dockerignore with depth': { dockerfile: 'FROM parity-busybox\nCOPY . /c', files: { 'x/y/keep': '', 'x/y/z/gone': '', 'gone': '', 'x/gone/a': '', '.dockerignore': '**/gone\n' } },
  'add a file': copy('ADD a.txt /x/'),
  'add a directory': copy('ADD dir /d'),
  'add with a mode': copy('ADD --chmod=600 --chown=1:2 a.txt /x'),
  'run': plain('RUN echo hi > /x && mkdir -p /a/b && ln -s ../x /a/l'),
  'run removes': plain('RUN mkdir /d && touch /d/a /d/b', 'RUN rm /d/a && rm -r /bin/vi; true'),
  'run replaces a directory': plain('RUN mkdir /d && touch /d/a', 'RUN rm -r /d && mkdir /d && touch /d/b'),
  'run in exec form': plain('RUN ["/bin/sh", "-c", "echo $HOME > /x"]'),
  'run with an environment': { dockerfile: 'FROM parity-busybox\nARG A=1\nARG B\nENV C=3\nRUN echo $A-$B-$C > /x', args: { B: '2' } },
  'run a document': plain('RUN <<E', 'set -e', 'echo one > /one', 'echo "$((1+1))" > /two', 'E'),
  'run a script': plain('RUN <<E', '#!/bin/sh', 'echo "$0" | sed "s/.*\\///" > /name', 'E'),
  'run with a document for a command': plain('RUN cat <<E > /x', 'text', 'E'),
  'run as a user': plain('RUN mkdir /u && chown 5 /u', 'USER 5', 'RUN id -u > /u/id && pwd > /u/pwd'),
  'run modes and owners': plain('RUN umask 027; mkdir /m; touch /m/a; chmod 4755 /m/a; chown 1:2 /m; mkfifo /m/p'),
  'run hard links': plain('RUN echo x > /h1 && ln /h1 /h2 && mkdir /hd && ln /h1 /hd/h3'),
  'run with mounts': { dockerfile: 'FROM parity-busybox AS s\nRUN mkdir /o && echo s > /o/s\nFROM parity-busybox\nRUN --mount=target=/ctx --mount=from=s,source=/o,target=/o --mount=type=tmpfs,target=/t --mount=type=cache,target=/root/c cat /ctx/a.txt /o/s > /x', files: tree },
  'run with a mount below what is there': { dockerfile: 'FROM parity-busybox\nRUN mkdir -p /etc/app && echo own > /etc/app/own\nRUN --mount=target=/etc/app/more cp /etc/app/more/a.txt /etc/app/', files: tree },
  'run where a volume is': plain('RUN mkdir /v', 'VOLUME /v', 'RUN echo x > /v/x'),
  'working directories': plain('WORKDIR /a', 'WORKDIR b/c', 'WORKDIR ../d', 'ENV X=/e', 'WORKDIR $X/f', 'RUN pwd > /x'),
  'working directory of a user': plain('USER 7', 'WORKDIR /mine'),
  'working directory that is a link': plain('RUN mkdir /real && ln -s /real /ln', 'WORKDIR /ln/sub', 'RUN touch here'),
  'configuration': plain('ENV A=1 B="two words" C=$A', 'ENV OLD style value', 'LABEL x=y "a b"="c d" e="$A"', 'EXPOSE 80 90/udp 100-102', 'VOLUME ["/v1"]', 'VOLUME /v2 /v3', 'USER me:group', 'WORKDIR /w', 'STOPSIGNAL SIGINT', 'CMD ["a", "b"]', 'ENTRYPOINT ["/e"]'),
  'commands in shell form': plain('SHELL ["/bin/sh", "-ec"]', 'CMD echo $HOME', 'ENTRYPOINT exec top'),
  'entry point takes back the command': plain('ENTRYPOINT ["/e"]'),
  'command then entry point': plain('CMD ["c"]', 'ENTRYPOINT ["/e"]'),
  'health checks': plain('HEALTHCHECK --interval=5m --timeout=3s --start-period=1s --retries=4 CMD curl -f http://x || exit 1'),
  'no health check': plain('HEALTHCHECK CMD x', 'HEALTHCHECK NONE'),
  'triggers': plain('ONBUILD RUN echo x', 'ONBUILD COPY a b'),
  'expansion': { dockerfile: 'FROM parity-busybox\nENV V=a.b.c E=\nENV A=${V#*.} B=${V##*.} C=${V%.*} D=${V%%.*} F=${V/./-} G=${V//./-} H=${N:-dflt} I=${E:-x} J=${E-x} K=${V:+set} L=${N+set} M=\\$V O=\'$V\' P="$V"\nLABEL q=${V}' },
  'escape directive': { dockerfile: '# escape=`\nFROM parity-busybox\nRUN echo one `\n  two > /x\nENV A=C:\\dir' },
  'global arguments': { dockerfile: 'ARG BASE=parity-busybox\nARG V=1\nFROM ${BASE} AS x\nARG V\nENV A=$V$NONE\nFROM x\nENV B=$V' },
  'platform arguments': plain('ARG TARGETPLATFORM', 'ARG TARGETARCH', 'ARG BUILDOS', 'ENV P=$TARGETPLATFORM A=$TARGETARCH O=$BUILDOS'),
  'given arguments': { dockerfile: 'FROM parity-busybox\nARG A=default\nARG B=default\nENV X=$A Y=$B\nARG A=later\nENV Z=$A', args: { A: 'given' } },
  'given labels': { dockerfile: 'FROM parity-busybox\nLABEL a=1 b=2', labels: { b: 'given', c: 'new' } },
  'a target': { dockerfile: 'FROM parity-busybox AS one\nRUN echo 1 > /one\nFROM parity-busybox AS two\nRUN echo 2 > /two\nFROM two AS three\nRUN false', target: 'TWO' },
  'stages upon stages': { dockerfile: 'FROM parity-busybox AS a\nENV A=1\nWORKDIR /w\nRUN echo a > a\nFROM a AS b\nRUN echo b > b\nFROM scratch\nCOPY --from=b /w /\nCOPY --from=a /w/a /only' },
  'comments and continuations': { dockerfile: 'FROM parity-busybox\n# comment\nRUN echo one \\\n  # inside\n  two \\\n  > /x # not a comment?\n   ENV A=b' },
}

/** Every case by its name. What Docker's builder makes of each is in recorded.json. */
export const cases: Readonly<Record<string, BuildCase>> = { ...firstCases, ...fileCases, ...instructionCases }

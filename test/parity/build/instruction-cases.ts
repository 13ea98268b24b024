import type { BuildCase } from './cases.ts'

const base = 'FROM parity-busybox'
const plain = (...lines: readonly string[]): BuildCase => ({ dockerfile: [base, ...lines].join('\n') })

/** What instructions make of each other. */
export const instructionCases: Readonly<Record<string, BuildCase>> = {
  'working directories that are there': plain('RUN mkdir -m 700 /w && chown 5:6 /w', 'WORKDIR /w', 'WORKDIR /w/new', 'USER 5', 'WORKDIR /w/mine/deep'),
  'working directory of a user without a name': plain('USER nobody', 'WORKDIR /n/m', 'USER nosuch', 'WORKDIR /o'),
  'working directory below a link that is absolute': plain('RUN mkdir -p /real/sub && ln -s /real /ln', 'WORKDIR /ln/sub/new', 'COPY <<E f', 'x', 'E'),
  'working directory by a variable with a slash': plain('ENV D=/x/', 'WORKDIR ${D}y/', 'WORKDIR ./z//', 'WORKDIR "two words"'),
  'volume after what is in it': plain('RUN mkdir -p /v/a && echo 1 > /v/a/f', 'VOLUME /v /not/there', 'RUN echo 2 > /v/a/g && mkdir /v/h', 'COPY <<E /v/i', '3', 'E'),
  'user by name runs as that': plain('RUN echo "svc:x:300:301::/home/svc:/bin/sh" >> /etc/passwd && mkdir -p /home/svc && chown 300:301 /home/svc', 'USER svc', 'RUN id -u > /home/svc/id; id -g >> /home/svc/id; echo $HOME >> /home/svc/id; touch /nope 2> /dev/null || echo denied >> /home/svc/id'),
  'user and group that are given': plain('RUN mkdir -m 777 /o', 'USER 7:8', 'RUN id -g > /o/g', 'USER nobody:9', 'RUN id > /o/n'),
  'shell that changes': plain('SHELL ["/bin/sh", "-xc"]', 'RUN echo one > /one', 'SHELL ["/bin/busybox", "sh", "-c"]', 'RUN echo "$0" > /two', 'CMD three', 'HEALTHCHECK CMD four'),
  'triggers that are carried out': { dockerfile: `${base} AS a\nONBUILD ARG V=1\nONBUILD COPY f /got/\nONBUILD RUN echo $V > /ran\nONBUILD ENV SET=yes\nONBUILD WORKDIR /later\nONBUILD USER 5\nFROM a\nRUN pwd > /tmp/pwd`, files: { f: 'x\n' }, args: { V: '2' } },
  'triggers of a base of a base': { dockerfile: `${base} AS a\nONBUILD RUN touch /once\nFROM a AS b\nRUN test -e /once\nFROM b\nRUN rm /once` },
  'arguments in FROM with defaults': { dockerfile: 'ARG NAME=busybox\nARG WHOLE=parity-${NAME}\nFROM ${WHOLE:-nothing} AS stage\nARG NAME\nLABEL n=$NAME w=${WHOLE:-unset}\nFROM stage\nARG WHOLE\nLABEL w=$WHOLE' },
  'arguments in FROM that are given': { dockerfile: 'ARG FROM=nosuch\nARG TAG=old\nFROM ${FROM}:${TAG}\nARG TAG=own\nLABEL tag=$TAG', args: { FROM: 'parity-busybox', TAG: 'latest' } },
  'platform arguments of both sides': plain('ARG TARGETOS TARGETVARIANT BUILDPLATFORM BUILDARCH BUILDVARIANT TARGETSTAGE', 'LABEL t=$TARGETOS-$TARGETVARIANT b=$BUILDPLATFORM-$BUILDARCH-$BUILDVARIANT s=$TARGETSTAGE'),
  'a platform in FROM': { dockerfile: 'FROM --platform=$BUILDPLATFORM parity-busybox AS a\nARG BUILDPLATFORM=own\nRUN echo $BUILDPLATFORM > /p\nFROM parity-busybox\nCOPY --from=a /p /p' },
  'inline files with variables': { dockerfile: `${base}\nARG A=arg\nENV E=env\nCOPY <<one <<"two" <<'three' /x/\n$A \${E} \${NONE:-none} \\$A "quoted" 'single' \`tick\`\none\n$A\ntwo\n\${E}\nthree\nADD --chmod=711 --chown=2 <<-four /y\n\t\tindented $A\n\tfour` },
  'an inline file that is empty': plain('COPY <<E /empty', 'E', 'COPY <<E1 <<E2 /two/', '', 'E1', 'x', 'E2'),
  'run documents with arguments': { dockerfile: `${base}\nARG A=arg\nRUN <<one cat > /1 && cat <<two > /2\n$A\none\n\${A}x\ntwo\nRUN <<"E"\necho $A > /3\nE\nRUN <<-E\n\techo "\ttab" > /4\n\tE` },
  'run a document with another shell': plain('RUN <<E busybox sh -e', 'echo "$0" > /x', 'E', 'SHELL ["/bin/sh", "-ec"]', 'RUN <<E', 'echo $- > /y', 'E'),
  'escape directive with a document': { dockerfile: '#escape=`\n\nFROM parity-busybox\nENV A=`$x B=c:\\new\\\nRUN echo "a\\\\b" > /x && `\n    echo two >> /x\nCOPY <<E /y\n`$A $A\nE\nLABEL a="x`"y" b=z\\' },
  'environment of environments': plain('ENV A=1', 'ENV A=2 B=$A C=${A}x', 'ENV B= D="$B" E=\'$A\'', 'ENV PATH=/own:$PATH', 'ENV LONG text with  spaces and $A', 'RUN echo "$A-$B-$C-$D-$E" > /x'),
  'labels of every form': plain('LABEL "a.b"="c d" e=f\\ g h=\'i j\' \\', '  k="l\\', 'm"', 'LABEL n=', 'LABEL o p', 'LABEL a.b=again'),
  'ports of every form': plain('ARG P=8080', 'EXPOSE $P 81/tcp 82/UDP 83-85 86/sctp', 'EXPOSE 80 80/tcp'),
  'stop signals': plain('ARG S=9', 'STOPSIGNAL $S', 'STOPSIGNAL SIGRTMIN+3'),
  'health checks with every option': plain('HEALTHCHECK --start-interval=2s --start-period=1m --interval=1h30m --timeout=500ms --retries=0 CMD ["a", "b c"]'),
  'health check that is taken back': plain('HEALTHCHECK --interval=5s CMD a', 'HEALTHCHECK NONE', 'HEALTHCHECK --retries=3 CMD b'),
  'commands that take each other back': { dockerfile: `${base} AS a\nCMD ["a"]\nENTRYPOINT ["e"]\nFROM a AS b\nENTRYPOINT ["f"]\nFROM b\nENTRYPOINT []\nCMD []` },
  'commands with empty parts': plain('ENTRYPOINT ["", "x"]', 'CMD [ "a" , "" , "\\u00e9\\t\\"" ]'),
  'json that is none': plain("CMD ['a', 'b']", 'ENTRYPOINT [ "x", ]'),
  'run with many mounts at once': { dockerfile: `${base} AS s\nRUN mkdir -p /o/deep && echo s > /o/deep/s\n${base}\nWORKDIR /w\nRUN --mount=type=tmpfs,target=tmp --mount=from=s,source=o/deep,target=rel --mount=target=ctx,rw --mount=type=cache,target=/var/c,mode=700,uid=3 --mount=type=secret,id=none --mount=type=bind,source=f,target=/single cat rel/s /single > out && echo more > ctx/new && stat -c "%a %u" /var/c >> out && touch tmp/gone`, files: { f: 'file\n' } },
  'run removes and makes again': plain('RUN mkdir -p /d/sub && touch /d/sub/x /d/f && ln -s f /d/l', 'RUN rm /d/l && mkdir /d/l && rm -r /d/sub && touch /d/sub && mv /d/f /d/g', 'RUN chmod 700 /d && rmdir /d/l'),
  'run renames directories of below': plain('RUN mkdir -p /old/deep && touch /old/deep/f && echo x > /old/x', 'RUN mv /old /new', 'RUN mv /new/deep /deep && mkdir /new/deep'),
  'run changes only what is said of a file': plain('RUN echo x > /f && mkdir /d', 'RUN chmod 600 /f', 'RUN chown 5:6 /d', 'RUN touch -d 2001-01-01 /f'),
  'run makes devices and holes': plain('RUN mkfifo /p && mknod /c c 1 3 && truncate -s 1M /hole && ln -s "/a b" "/l l"'),
  'comments, blanks and cases': { dockerfile: '\n# first\n  # indented\nfrom parity-busybox\nrun echo a  \\\n\\\n# in between\n\n  b > /x\nEnv X=1\ncopy <<e /y\n# kept\ne\n' },
  'a byte order mark and carriage returns': { dockerfile: '\uFEFFFROM parity-busybox\r\nRUN echo a > /x && \\\r\n  echo b > /y\r\nENV A=b\r\n' },
}

# A base for services: packages, and what each service that builds on it gets done.
FROM debian:base
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
ARG DEBIAN_FRONTEND=noninteractive
RUN --mount=type=cache,id=corpus-apt,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,id=corpus-lists,target=/var/lib/apt/lists,sharing=locked <<APT
rm -f /etc/apt/apt.conf.d/docker-clean
echo 'Binary::apt::APT::Keep-Downloaded-Packages "true";' > /etc/apt/apt.conf.d/keep-cache
apt-get update
apt-get install -y --no-install-recommends jq
rm -f /var/log/apt/* /var/log/dpkg.log
APT
RUN ! ls /var/cache/apt/archives/*.deb && jq --version | tee /etc/jq-version
ONBUILD ARG SERVICE=unnamed
ONBUILD COPY --chmod=u=rw,go=r config.json /etc/service/config.json
ONBUILD RUN jq -r --arg name "$SERVICE" '.name = $name' /etc/service/config.json > /etc/service/active.json

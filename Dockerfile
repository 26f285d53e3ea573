# A static program on an image without a shell, as a user without rights.
#
#   docker build -t tolem .
#   docker run --read-only -v tolem-data:/data \
#     -v "$PWD/my-config.yaml:/etc/tolem/config.yaml:ro" -p 8080:8080 tolem
#
# The configuration is mounted, or set by TOLEM_ variables; secrets best come
# from mounted files (secret_files, token_file, dsn_file). The admin API listens on the
# container's own loopback unless told otherwise. To reach it from the host and
# from nowhere else: -e TOLEM_ADMIN__LISTEN=0.0.0.0:8081 -p 127.0.0.1:8081:8081
#
# Other commands run beside the server: docker exec CONTAINER /tolem ledger check
#
# It is built with C, statically: SQLite is the driver that docs/performance.md
# measures, with the guard for a failed sync (docs/operations.md, "The program"),
# and needs nothing of its image.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=1 go build -trimpath -tags osusergo,netgo,sqlite_omit_load_extension \
    -ldflags '-linkmode external -extldflags "-static"' -o /out/tolem . && mkdir /out/data

# Certificates and time zones are in this image; nonroot is user 65532.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/tolem /tolem
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
VOLUME /data
# The default data/tolem.db is in the volume then.
WORKDIR /
# Nothing but /data is written, SQLite's temporary files included.
ENV TOLEM_CONFIG=/etc/tolem/config.yaml \
    TOLEM_LISTEN=0.0.0.0:8080 \
    SQLITE_TMPDIR=/data \
    TMPDIR=/data
EXPOSE 8080
# Draining takes up to 20 s, so give it time: docker stop --time 30
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s CMD ["/tolem", "healthcheck"]
ENTRYPOINT ["/tolem"]
CMD ["serve"]

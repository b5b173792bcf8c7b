# layersift alone, without a system round it:
#     docker build -t layersift . && docker save app:1.2 | docker run -i --rm --network none layersift scan -
FROM scratch AS runtime
USER 65534:65534
ENTRYPOINT ["/layersift"]

# With a binary that is there already: docker build --target prebuilt --build-arg BINARY=layersift FOLDER
FROM runtime AS prebuilt
ARG BINARY
COPY ${BINARY} /layersift

# On Alpine a program is linked with musl, and static.
FROM rust:1-alpine AS build
RUN apk add --no-cache gcc make musl-dev
WORKDIR /src
COPY . .
RUN cargo build --locked --release --bin layersift

FROM runtime
# Whom to trust when an image is read from a registry.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /src/target/release/layersift /layersift

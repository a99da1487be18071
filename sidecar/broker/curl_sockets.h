// sidecar/broker/curl_sockets.h: connected descriptors in place of libcurl's own sockets.
#pragma once
#include <curl/curl.h>

namespace sidecar::broker_role {

/// CURLOPT_SOCKOPTFUNCTION: the socket that CURLOPT_OPENSOCKETFUNCTION returned is connected.
///
/// Linking this also replaces, for the whole executable, connect() and getpeername() by what makes
/// libcurl 7.88 keep to that answer (curl_sockets.cc says why). connect() fails with EACCES on
/// anything that is not connected already: the broker has no way to make a connection of its own.
int TellAlreadyConnected(void* unused, curl_socket_t fd, curlsocktype purpose);

}  // namespace sidecar::broker_role

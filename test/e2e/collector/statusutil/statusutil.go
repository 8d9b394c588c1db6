// Package statusutil replaces the Collector's internal module of the same name, which the Go module
// proxy does not serve. It has only what otlpreceiver calls.
package statusutil

import (
	"net/http"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// NewStatusFromMsgAndHTTPCode maps an HTTP status to gRPC's code for it.
//
// See https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md; 400 and 429 are OTLP/HTTP's
// own meanings of them.
func NewStatusFromMsgAndHTTPCode(msg string, httpStatus int) *status.Status {
	code := codes.Unknown
	switch httpStatus {
	case http.StatusBadRequest:
		code = codes.InvalidArgument
	case http.StatusUnauthorized:
		code = codes.Unauthenticated
	case http.StatusForbidden:
		code = codes.PermissionDenied
	case http.StatusNotFound:
		code = codes.Unimplemented
	case http.StatusTooManyRequests:
		code = codes.ResourceExhausted
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		code = codes.Unavailable
	}
	return status.New(code, msg)
}

// GetRetryInfo gives the first RetryInfo among the status's details, nil without one.
func GetRetryInfo(s *status.Status) *errdetails.RetryInfo {
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info
		}
	}
	return nil
}

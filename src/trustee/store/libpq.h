/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * libpq, loaded when a configuration names PostgreSQL and not before: it brings Kerberos and LDAP
 * libraries along, which no other process of husk shall map and no SQLite user shall need.
 */
#include <libpq-fe.h>

#include "base/err.h"

/* Name of each function that is used; its type is that of the header. */
#define LIBPQ_FUNCTIONS(X)      \
	X(PQconnectStartParams) \
	X(PQconnectPoll)        \
	X(PQfinish)             \
	X(PQstatus)             \
	X(PQsocket)             \
	X(PQerrorMessage)       \
	X(PQsetnonblocking)     \
	X(PQsetNoticeProcessor) \
	X(PQsendQuery)          \
	X(PQsendQueryParams)    \
	X(PQflush)              \
	X(PQconsumeInput)       \
	X(PQisBusy)             \
	X(PQgetResult)          \
	X(PQclear)              \
	X(PQresultStatus)       \
	X(PQresultErrorField)   \
	X(PQtransactionStatus)  \
	X(PQntuples)            \
	X(PQcmdTuples)          \
	X(PQgetvalue)           \
	X(PQgetlength)          \
	X(PQgetisnull)

struct libpq {
#define LIBPQ_MEMBER(name) __typeof__(name) *name;
	LIBPQ_FUNCTIONS(LIBPQ_MEMBER)
#undef LIBPQ_MEMBER
};

/** libpq_load() - Return: 0, -EOPNOTSUPP (the library is not installed, or too old) */
must_check int libpq_load(const struct libpq **ret, struct err *reterr);

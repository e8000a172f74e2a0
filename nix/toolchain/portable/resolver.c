// Since glibc 2.34, functions of the resolver have the names that their documentation has. Before, headers
// defined these names as names with underscores, in libresolv.

#include <stddef.h>

typedef unsigned char byte;
struct state;

int __dn_comp(const char *, byte *, int, byte **, byte **);
int __dn_expand(const byte *, const byte *, const byte *, char *, int);
int __dn_skipname(const byte *, const byte *);
int __res_mkquery(int, const char *, int, int, const byte *, int, const byte *, byte *, int);
int __res_nmkquery(struct state *, int, const char *, int, int, const byte *, int, const byte *, byte *, int);
int __res_nquery(struct state *, const char *, int, int, byte *, int);
int __res_nquerydomain(struct state *, const char *, const char *, int, int, byte *, int);
int __res_nsearch(struct state *, const char *, int, int, byte *, int);
int __res_nsend(struct state *, const byte *, int, byte *, int);
int __res_query(const char *, int, int, byte *, int);
int __res_querydomain(const char *, const char *, int, int, byte *, int);
int __res_search(const char *, int, int, byte *, int);
int __res_send(const byte *, int, byte *, int);

int dn_comp(const char *name, byte *to, int size, byte **names, byte **last) {
  return __dn_comp(name, to, size, names, last);
}
int dn_expand(const byte *message, const byte *end, const byte *from, char *to, int size) {
  return __dn_expand(message, end, from, to, size);
}
int dn_skipname(const byte *name, const byte *end) { return __dn_skipname(name, end); }
int res_mkquery(int code, const char *name, int class, int type, const byte *data, int length, const byte *record,
                byte *to, int size) {
  return __res_mkquery(code, name, class, type, data, length, record, to, size);
}
int res_nmkquery(struct state *state, int code, const char *name, int class, int type, const byte *data, int length,
                 const byte *record, byte *to, int size) {
  return __res_nmkquery(state, code, name, class, type, data, length, record, to, size);
}
int res_nquery(struct state *state, const char *name, int class, int type, byte *to, int size) {
  return __res_nquery(state, name, class, type, to, size);
}
int res_nquerydomain(struct state *state, const char *name, const char *domain, int class, int type, byte *to,
                     int size) {
  return __res_nquerydomain(state, name, domain, class, type, to, size);
}
int res_nsearch(struct state *state, const char *name, int class, int type, byte *to, int size) {
  return __res_nsearch(state, name, class, type, to, size);
}
int res_nsend(struct state *state, const byte *message, int length, byte *to, int size) {
  return __res_nsend(state, message, length, to, size);
}
int res_query(const char *name, int class, int type, byte *to, int size) {
  return __res_query(name, class, type, to, size);
}
int res_querydomain(const char *name, const char *domain, int class, int type, byte *to, int size) {
  return __res_querydomain(name, domain, class, type, to, size);
}
int res_search(const char *name, int class, int type, byte *to, int size) {
  return __res_search(name, class, type, to, size);
}
int res_send(const byte *message, int length, byte *to, int size) { return __res_send(message, length, to, size); }

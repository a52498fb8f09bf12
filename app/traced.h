/*
 * traced.h - whether this build watches itself: sanitizers trace their own
 * process at its end and read /proc, which hardening and confinement forbid.
 */
#ifndef SF_APP_TRACED_H
#define SF_APP_TRACED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SF_IS_TRACED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SF_IS_TRACED 1
#endif
#endif
#ifndef SF_IS_TRACED
#define SF_IS_TRACED 0
#endif

#endif

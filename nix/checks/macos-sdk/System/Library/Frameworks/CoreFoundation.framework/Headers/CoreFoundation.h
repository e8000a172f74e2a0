#ifdef __cplusplus
extern "C"
#endif
    double CFAbsoluteTimeGetCurrent(void);

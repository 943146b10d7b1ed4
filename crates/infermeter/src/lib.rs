//! The infermeter command and the library behind it.

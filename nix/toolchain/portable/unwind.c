// libgcc finds the unwinding table of an address with _dl_find_object, which glibc has since 2.35.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>

struct search {
  uintptr_t address;
  struct dl_find_object *found;
};

static int visit(struct dl_phdr_info *object, size_t size, void *argument) {
  struct search *search = argument;
  uintptr_t low = 0, high = 0;
  void *table = NULL;
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
    uintptr_t start = object->dlpi_addr + segment->p_vaddr;
    uintptr_t end = start + segment->p_memsz;
    if (segment->p_type == PT_LOAD && start <= search->address && search->address < end) {
      low = start;
      high = end;
    } else if (segment->p_type == PT_GNU_EH_FRAME) {
      table = (void *)start;
    }
  }
  if (!high || !table) return 0;
  *search->found = (struct dl_find_object){
      .dlfo_map_start = (void *)low,
      .dlfo_map_end = (void *)high,
      .dlfo_eh_frame = table,
  };
  return 1;
}

int _dl_find_object(void *address, struct dl_find_object *found) {
  struct search search = {(uintptr_t)address, found};
  return dl_iterate_phdr(visit, &search) ? 0 : -1;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers of a host bus adapter. Names and layout: Serial ATA AHCI specification, revision
 * 1.3.1, "HBA Memory Registers". */
#ifndef DRIVERS_AHCI_REGISTERS_H
#define DRIVERS_AHCI_REGISTERS_H

#define HBA_CAP  0x00u
#define HBA_GHC  0x04u
#define HBA_IS   0x08u
#define HBA_PI   0x0cu
#define HBA_VS   0x10u
#define HBA_CAP2 0x24u
#define HBA_BOHC 0x28u

#define CAP_NCS(cap) ((((cap) >> 8) & 31u) + 1u) /* command slots */
#define CAP_SCLO     (1u << 24)
#define CAP_SSS      (1u << 27)
#define CAP_SNCQ     (1u << 30)
#define CAP_S64A     (1u << 31)
#define CAP2_BOH     (1u << 0)
#define GHC_HR       (1u << 0)
#define GHC_IE       (1u << 1)
#define GHC_AE       (1u << 31)
#define BOHC_BOS     (1u << 0)
#define BOHC_OOS     (1u << 1)
#define BOHC_BB      (1u << 4)

#define PORT_REGS(i) (0x100u + 0x80u * (i))
#define PORT_CLB     0x00u
#define PORT_CLBU    0x04u
#define PORT_FB      0x08u
#define PORT_FBU     0x0cu
#define PORT_IS      0x10u
#define PORT_IE      0x14u
#define PORT_CMD     0x18u
#define PORT_TFD     0x20u
#define PORT_SIG     0x24u
#define PORT_SSTS    0x28u
#define PORT_SCTL    0x2cu
#define PORT_SERR    0x30u
#define PORT_SACT    0x34u
#define PORT_CI      0x38u

#define IS_DHRS (1u << 0)
#define IS_PSS  (1u << 1)
#define IS_DSS  (1u << 2)
#define IS_SDBS (1u << 3)
#define IS_UFS  (1u << 4)
#define IS_PCS  (1u << 6)
#define IS_PRCS (1u << 22)
#define IS_OFS  (1u << 24)
#define IS_INFS (1u << 26)
#define IS_IFS  (1u << 27)
#define IS_HBDS (1u << 28)
#define IS_HBFS (1u << 29)
#define IS_TFES (1u << 30)
/* What stops the command engine: "Error Types". */
#define IS_FATAL (IS_IFS | IS_HBDS | IS_HBFS | IS_TFES)
/* What a driver cannot have caused or go on from without looking. */
#define IS_STRANGE (IS_UFS | IS_OFS)
#define IS_LINK    (IS_PCS | IS_PRCS)
#define IS_ENABLED (IS_DHRS | IS_PSS | IS_DSS | IS_SDBS | IS_FATAL | IS_STRANGE | IS_LINK | IS_INFS)

#define CMD_ST       (1u << 0)
#define CMD_SUD      (1u << 1)
#define CMD_POD      (1u << 2)
#define CMD_CLO      (1u << 3)
#define CMD_FRE      (1u << 4)
#define CMD_CCS(cmd) (((cmd) >> 8) & 31u)
#define CMD_FR       (1u << 14)
#define CMD_CR       (1u << 15)
#define CMD_ATAPI    (1u << 24)
#define CMD_ALPE     (1u << 26)
#define CMD_ICC      (15u << 28)
#define CMD_ACTIVE   (1u << 28) /* ICC: bring the link to its active state */

#define TFD_ERR        (1u << 0) /* status register */
#define TFD_DRQ        (1u << 3)
#define TFD_DF         (1u << 5)
#define TFD_BSY        (1u << 7)
#define TFD_ERROR(tfd) (((tfd) >> 8) & 0xffu) /* error register */

#define SIG_ATA   0x00000101u
#define SIG_ATAPI 0xeb140101u

#define SSTS_DET(ssts) ((ssts)&15u)
#define SSTS_SPD(ssts) (((ssts) >> 4) & 15u)
#define DET_NONE       0u
#define DET_PRESENT    1u /* a device, no communication */
#define DET_READY      3u
#define SCTL_DET_RESET 1u
#define SCTL_NO_SLEEP  0x300u /* IPM: no transitions to Partial and Slumber */

#endif
